"""Graphs: what is wrong with them, and what they lack."""

import pytest

from runnable import Pipeline, PythonTask, Stub
from runnable.exceptions import GraphError, NodeNotFoundError
from runnable.graph import (
    FailNode,
    Graph,
    ParallelNode,
    StubNode,
    SuccessNode,
    check_graph,
    execution_log_name,
    join,
    unprovided_parameters,
)


def graph(start_at="a", **edges):
    nodes = {
        name: StubNode(name=name, next_node=after, on_failure=failure)
        for name, (after, failure) in edges.items()
    }
    nodes |= {"success": SuccessNode(name="success"), "fail": FailNode(name="fail")}
    return Graph(start_at, nodes)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (graph("z", a=("success", "")), "starts at 'z', which is no step"),
        (graph(a=("b", "")), "step 'a' leads to 'b', which is no step"),
        (graph(a=("success", "b")), "step 'a' leads to 'b'"),
        (graph(a=("b", ""), b=("a", "")), "in a circle: a -> b -> a"),
        (graph(a=("b", ""), b=("success", "a")), "in a circle: a -> b -> a"),
        (graph(a=("success", ""), b=("success", "")), "'b' can never be reached"),
    ],
)
def test_findings(made, text):
    with pytest.raises(GraphError, match=text):
        check_graph(made)


def test_a_graph_without_an_end():
    nodes = {
        "a": StubNode(name="a", next_node="a2"),
        "a2": StubNode(name="a2", next_node="a"),
    }
    with pytest.raises(GraphError) as caught:
        check_graph(Graph("a", nodes))
    assert caught.value.findings == [
        "it has no success node to end at",
        "it has no fail node to end at",
        "steps follow each other in a circle: a -> a2 -> a",
    ]


def test_findings_in_branches_say_where():
    inner = graph(a=("nowhere", ""))
    outer = ParallelNode(name="p", next_node="success", branches={"b": inner})
    nodes = {
        "p": outer,
        "success": SuccessNode(name="success"),
        "fail": FailNode(name="fail"),
    }
    with pytest.raises(GraphError, match="branch 'b' of step 'p': step 'a' leads to"):
        check_graph(Graph("p", nodes))


def test_a_sound_graph():
    check_graph(graph(a=("b", "c"), b=("success", "c"), c=("fail", "")))


def test_an_unknown_node():
    with pytest.raises(NodeNotFoundError, match="Did you mean 'success'"):
        graph(a=("success", "")).node("sucess")


def test_a_long_pipeline_can_be_checked():
    """Thousands of steps overflow no stack."""
    steps = [
        PythonTask(name=f"s{n}", function=lambda x: x, returns=["x"])
        for n in range(3000)
    ]
    made = Pipeline(steps=steps).return_dag()
    assert [need[:2] for need in unprovided_parameters(made)] == [("s0", "x")]


def test_the_hash_follows_the_description():
    def made(name="a", description=""):
        return Pipeline(steps=[Stub(name=name)], description=description).return_dag()

    assert made().hash == made().hash
    assert len({made().hash, made("b").hash, made(description="x").hash}) == 3


def test_paths():
    assert join("", "a") == "a"
    assert join("a.b", "c") == "a.b.c"
    name = execution_log_name("pa.b1.s 1", 1)
    assert name.startswith("pab1s1")
    assert len(name) == len("pab1s1") + 3 + len(".execution.log")
    assert len({name, execution_log_name("pa.b1.s 1", 2)}) == 2
    assert execution_log_name("ab", 1) != execution_log_name("a b", 1)
