"""Each transition of the table leads where it says, and the documents show the table."""

import itertools
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from runnable.graph import FailNode, Graph, StepNode, StubNode, SuccessNode
from runnable.journal import (
    Finish,
    Outcome,
    RunNode,
    RunStarted,
    RunState,
    StepFinished,
    StepStarted,
)
from runnable.journal.traversal import TRANSITIONS, NodeKind, diagram


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


def end(state, node, status):
    state.add(StepStarted("", node.name, node.name, node.node_type))
    state.add(StepFinished("", node.name, status, {}, []))


@given(graphs(), st.lists(st.booleans(), min_size=8, max_size=8), st.booleans())
def test_the_next_node_depends_on_how_the_last_one_ended(graph, failures, end_fails):
    state = RunState([RunStarted("", "r1", "", "", {}, {}, [])])
    command = state.next(graph)
    visited = []
    for failed in failures:
        assert isinstance(command, RunNode)
        node = command.node
        visited.append(node.name)
        if not isinstance(node, StepNode):
            break
        end(state, node, "FAIL" if failed else "SUCCESS")
        command = state.next(graph, after=node)
        expected = (node.on_failure or "fail") if failed else node.next_node
        assert command.node.name == expected
    node = command.node
    assert len(set(visited)) == len(visited)
    end(state, node, "FAIL" if end_fails else "SUCCESS")
    succeeded = node.name == "success" and not end_fails
    assert state.next(graph, after=node) == Finish(succeeded)


def test_the_table_is_complete():
    assert set(TRANSITIONS) == set(itertools.product(NodeKind, Outcome))


def test_the_diagram_shows_every_transition():
    text = diagram()
    for (kind, outcome), transition in TRANSITIONS.items():
        assert any(
            line.strip().startswith(str(kind)) and f"{outcome} / {transition}" in line
            for line in text.splitlines()
        )


def test_the_documents_show_this_diagram():
    overview = Path(__file__).parents[2] / "docs/architecture/overview.md"
    assert diagram() in overview.read_text()
