"""Steps are located by name, in the branch that was opened for them."""

import json

import pytest

from runnable import Loop, Map, Parallel, Pipeline, Stub
from runnable.context import PipelineContext
from runnable.engine.single_step.address import (
    Iteration,
    StepName,
    check_turn,
    locate,
)
from runnable.exceptions import NodeNotFoundError, RunError
from runnable.graph import join
from runnable.journal import (
    BranchStarted,
    JsonParameter,
    RunStarted,
    RunState,
    StepFinished,
    StepStarted,
)

INNER = Pipeline(steps=[Stub(name="s"), Stub(name="t")])
PIPELINE = Pipeline(
    steps=[
        Stub(name="a step"),
        Map(name="m", branch=INNER, iterate_on="xs", iterate_as="x"),
        Loop(name="l", branch=INNER, break_on="done", index_as="i", max_iterations=3),
        Parallel(name="p", branches={"left": INNER, "right": INNER}),
    ]
)
GRAPH = PIPELINE.return_dag()


def state(*records):
    start = RunStarted(
        "",
        "r1",
        "",
        "",
        {"xs": JsonParameter(value=[1, 2])},
        {"dag": GRAPH.described},
        [],
    )
    return RunState([start, *records])


def started(path, kind="task"):
    return StepStarted("", path, path.rpartition(".")[2], kind, 1)


def finished(path):
    return StepFinished("", path, "SUCCESS", {}, [], 1)


def ended(path):
    return [started(path), finished(path)]


def opened(step, kind, **branches):
    """Records of a step with branches, each with its variables."""
    records = [started(step, kind)]
    return records + [
        BranchStarted("", join(step, name), variables)
        for name, variables in branches.items()
    ]


MAPPED = [*ended("a step"), *opened("m", "map", **{"1": {"x": 1}, "2": {"x": 2}})]


def find(name, *records, iteration=None):
    """Locate a step in a run with the records that are given."""
    context = PipelineContext.model_construct(run_id="r1")
    step = StepName(GRAPH, name, iteration or Iteration())
    return locate(step, state(*records), context)


def given(**values):
    of_map = {name: {"value": it} for name, it in values.items()}
    return Iteration.model_validate({"map_variable": of_map})


@pytest.mark.parametrize("name", ["a step", "a%step"])
def test_a_space_in_a_name_may_be_written_as_percent(name):
    assert find(name).path == "a step"


def test_a_branch_is_found_by_its_name_or_by_its_item():
    assert find("m.2.s", *MAPPED).path == "m.2.s"
    address = find("m.map_variable_placeholder.s", *MAPPED, iteration=given(x=2))
    assert address.path == "m.2.s"
    assert address.scope.find("x").value == 2


@pytest.mark.parametrize("item", [1, 1.5, True, None, "text", [1], "1"])
def test_an_item_may_be_quoted_as_manifests_of_argo_quote_it(item):
    records = [*ended("a step"), *opened("m", "map", b={"x": item})]
    quoted = item if isinstance(item, str) else json.dumps(item)
    address = find("m.map_variable_placeholder.s", *records, iteration=given(x=quoted))
    assert address.scope.find("x").value == item


def test_an_item_that_is_text_is_found_before_one_that_is_a_number():
    records = [*ended("a step"), *opened("m", "map", b={"x": 1}, c={"x": "1"})]
    address = find("m.map_variable_placeholder.s", *records, iteration=given(x="1"))
    assert address.path == "m.c.s"


def test_a_branch_that_has_not_started_is_refused_with_those_that_have():
    with pytest.raises(RunError, match="no branch '7'; those that have started: 1, 2"):
        find("m.map_variable_placeholder.s", *MAPPED, iteration=given(x=7))
    with pytest.raises(RunError, match="no branch of step 'm' has started"):
        find("m.1.s", *ended("a step"))
    with pytest.raises(RunError, match="--iter-variable needs 'x'"):
        find("m.map_variable_placeholder.s", *MAPPED)


@pytest.mark.parametrize("name", ["unknown", "m.1", "m.1.unknown", "a step.x.s"])
def test_a_name_that_is_no_step_is_refused(name):
    with pytest.raises(NodeNotFoundError):
        find(name, *MAPPED)


def test_only_the_next_step_may_run():
    address = find("m.1.t", *MAPPED)
    with pytest.raises(RunError, match=r"not its turn, step 'm\.1\.s' has not ended"):
        check_turn(address, state(*MAPPED))
    check_turn(address, state(*MAPPED, *ended("m.1.s")))
