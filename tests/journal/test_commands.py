"""What comes next: a node to run, a result to reuse, or the end."""

from runnable import Pipeline, Stub
from runnable.journal import (
    Finish,
    Reuse,
    RunNode,
    RunStarted,
    RunState,
    StepFinished,
    StepStarted,
)

GRAPH = Pipeline(steps=[Stub(name="a"), Stub(name="b")]).return_dag()
START = RunStarted("", "r1", "", "", {}, {"dag": GRAPH.described}, [])


def ended(name, status="SUCCESS"):
    return [
        StepStarted("", name, name, "task", 1),
        StepFinished("", name, status, {}, [], 1),
    ]


def test_the_first_node_is_run():
    assert RunState([START]).next(GRAPH) == RunNode(GRAPH.nodes["a"])


def test_a_node_that_has_ended_is_reused():
    state = RunState([START, *ended("a")])
    command = state.next(GRAPH)
    assert command == Reuse(GRAPH.nodes["a"], state.step("a"))
    assert state.next(GRAPH, after=command.node) == RunNode(GRAPH.nodes["b"])


def test_after_a_terminal_node_the_graph_has_ended():
    for name, succeeded in (("success", True), ("fail", False)):
        state = RunState([START, *ended(name)])
        assert state.next(GRAPH, after=GRAPH.nodes[name]) == Finish(succeeded)


def test_a_walk_ends_with_the_first_node_that_has_not_ended():
    state = RunState([START, *ended("a", "FAIL")])
    commands = list(state.walk(GRAPH))
    assert [type(it) for it in commands] == [Reuse, RunNode]
    assert commands[-1].node.name == "fail"
