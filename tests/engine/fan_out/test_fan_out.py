"""Which branches there are, and what becomes of them: whatever the order they end in."""

from hypothesis import given
from hypothesis import strategies as st

from runnable import Loop, Map, Pipeline, PythonTask
from runnable.datastore import JsonParameter
from runnable.engine.fan_out.fan_out import (
    BranchEnd,
    LoopFanOut,
    MapFanOut,
    ParallelFanOut,
    fan_out,
)
from runnable.engine.parameter_scope import ParameterScope
from runnable.secrets import Masker

TASK = PythonTask(name="s", function=lambda: 1, returns=["y", "done"]).as_pipeline()
GRAPH = TASK.return_dag()
VALUES = st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), max_size=3)


def parameters(values):
    return {name: JsonParameter(value=value) for name, value in values.items()}


@given(st.lists(VALUES, min_size=1, max_size=5), st.randoms())
def test_the_later_branch_wins_in_any_order_of_ends(sets, random):
    fan = ParallelFanOut({f"b{number}": GRAPH for number in range(len(sets))})
    branches = list(zip(fan, sets, strict=True))
    random.shuffle(branches)
    for branch, values in branches:
        fan.report(branch, BranchEnd(True, parameters(values)))
    gathered = fan.close(succeeded=True)
    expected = {}
    for values in sets:
        expected |= values
    assert {name: it.value for name, it in gathered.outputs.items()} == expected
    differing = {
        name
        for name in "abc"
        if len({values[name] for values in sets if name in values}) > 1
    }
    warned = {
        name for name in "abc" if any(f"'{name}'" in it for it in gathered.conflicts)
    }
    assert differing == warned
    assert fan.close(succeeded=False).outputs == {}


@given(st.lists(st.none() | st.integers() | st.text(max_size=3)), st.randoms())
def test_a_map_collects_in_the_order_of_its_items(items, random):
    node = Map(name="m", branch=TASK, iterate_on="xs", iterate_as="x").make_node(
        "success", ""
    )
    fan = MapFanOut(node, items, Masker())
    branches = list(fan)
    assert fan.count == len(branches) == len({branch.name for branch in branches})
    assert [branch.variables["x"] for branch in branches] == items
    shuffled = list(enumerate(branches))
    random.shuffle(shuffled)
    for number, branch in shuffled:
        fan.report(branch, BranchEnd(True, parameters({"y": number})))
    collected = fan.close(succeeded=True).collected
    assert [it.value for it in collected["y"]] == list(range(len(items)))
    assert collected["done"] == []


@given(st.lists(st.booleans(), min_size=1, max_size=6), st.integers(1, 6))
def test_a_loop_ends_when_it_is_done_or_at_its_limit(done, limit):
    node = Loop(
        name="l", branch=TASK, max_iterations=limit, break_on="done", index_as="i"
    ).make_node("success", "")
    fan = LoopFanOut(node, None)
    ran = 0
    for branch in fan:
        assert branch.variables == {"i": ran}
        assert branch.environment == {"i": str(ran)}
        assert [it.value for it in branch.carried.values()] == (
            [ran - 1, done[ran - 1]] if ran else []
        )
        ended = done[ran] if ran < len(done) else True
        fan.report(branch, BranchEnd(True, parameters({"y": ran, "done": ended})))
        ran += 1
    first = done.index(True) + 1 if True in done else len(done) + 1
    assert ran == min(first, limit)


def test_a_loop_that_failed_is_over():
    node = Loop(
        name="l", branch=TASK, max_iterations=3, break_on="done", index_as="i"
    ).make_node("success", "")
    fan = LoopFanOut(node, None)
    for branch in fan:
        fan.report(branch, BranchEnd(False, {}))
    assert fan.close(succeeded=False).outputs == {}


def test_each_kind_of_node_has_its_own():
    node = (
        Pipeline(steps=[Map(name="m", branch=TASK, iterate_on="xs", iterate_as="x")])
        .return_dag()
        .node("m")
    )
    outer = ParameterScope(
        "", parameters({"xs": 1}) | {"xs": JsonParameter(value=[1, 2])}
    )
    inner = ParameterScope("a.b", {}, outer=outer)
    assert [branch.name for branch in fan_out(node, inner, "m", Masker())] == ["1", "2"]
