"""The state machine takes legal transitions only, and always comes to an end."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable.engine.traversal import (
    TRANSITIONS,
    Finish,
    IllegalTransitionError,
    Outcome,
    Place,
    RunNode,
    Traversal,
    diagram,
)
from runnable.graph import FailNode, Graph, StepNode, StubNode, SuccessNode


@st.composite
def graphs(draw):
    """Any graph without circles: each step leads further."""
    size = draw(st.integers(1, 8))
    names = [f"s{number}" for number in range(size)]
    nodes = {}
    for number, name in enumerate(names):
        later = [*names[number + 1 :], "success", "fail"]
        nodes[name] = StubNode(
            name=name,
            next_node=draw(st.sampled_from(later)),
            on_failure=draw(st.sampled_from(["", *later])),
        )
    nodes["success"] = SuccessNode(name="success")
    nodes["fail"] = FailNode(name="fail")
    return Graph("s0", nodes)


@given(graphs(), st.lists(st.booleans(), min_size=8, max_size=8))
def test_a_traversal_follows_the_outcomes_to_an_end(graph, outcomes):
    traversal = Traversal(graph)
    visited = []
    for failed in outcomes:
        command = traversal.command
        assert isinstance(command, RunNode)
        node = command.node
        visited.append(node.name)
        if not isinstance(node, StepNode):
            break
        outcome = Outcome.FAILED if failed else Outcome.SUCCEEDED
        traversal.advance(outcome)
        expected = (node.on_failure or "fail") if failed else node.next_node
        assert traversal.command.node.name == expected
    else:
        node = traversal.command.node
    assert len(set(visited)) == len(visited)
    assert traversal.advance(Outcome.SUCCEEDED) == Finish(node.name == "success")


@given(graphs(), st.sampled_from(Outcome))
def test_after_the_end_everything_raises_and_changes_nothing(graph, outcome):
    traversal = Traversal(graph)
    while not isinstance(traversal.command, Finish):
        traversal.advance(Outcome.SUCCEEDED)
    before = traversal.command
    with pytest.raises(IllegalTransitionError, match="after the end"):
        traversal.advance(outcome)
    assert traversal.command is before


@given(graphs())
def test_a_terminal_node_that_fails_ends_badly(graph):
    traversal = Traversal(graph)
    while isinstance(traversal.command.node, StepNode):
        traversal.advance(Outcome.SUCCEEDED)
    assert traversal.advance(Outcome.FAILED) == Finish(succeeded=False)


def test_the_table_is_complete():
    assert set(TRANSITIONS) == set(itertools.product(Place, Outcome))


def test_the_diagram_shows_every_transition():
    text = diagram()
    for (place, outcome), way in TRANSITIONS.items():
        assert any(
            line.strip().startswith(str(place)) and f"{outcome} / {way}" in line
            for line in text.splitlines()
        )


def test_the_documents_show_this_diagram():
    overview = Path(__file__).parents[2] / "docs/architecture/overview.md"
    assert diagram() in overview.read_text()
