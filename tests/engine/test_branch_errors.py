"""Errors of branches: grouped, named, and bounded in length."""

import pickle

import pytest

from runnable import ExecutionFailedError, Parallel, Pipeline, PythonTask
from runnable.exceptions import BranchesFailedError


def failing(count):
    errors = [ValueError(f"bad {number}") for number in range(min(count, 100))]
    names = [f"m.{number}" for number in range(count)]
    return BranchesFailedError("m", names, errors, 2 * count)


def fail(kind):
    raise kind("no")


def test_each_error_of_a_branch_can_be_handled_by_its_type(in_memory):
    branches = {
        kind.__name__: PythonTask(name="s", function=lambda kind=kind: fail(kind))
        for kind in (ValueError, KeyError)
    }
    branches = {name: step.as_pipeline() for name, step in branches.items()}
    pipeline = Pipeline(steps=[Parallel(name="p", branches=branches)])
    with pytest.raises(ExecutionFailedError) as caught:
        pipeline.execute(services=in_memory)
    group = caught.value.__cause__
    assert group.branches == ["p.ValueError", "p.KeyError"]
    assert [type(it) for it in group.subgroup(KeyError).exceptions] == [KeyError]


def test_the_text_names_branches_and_reasons_and_stays_short():
    text = str(failing(1000))
    assert text.startswith("1000 of 2000 branches of step 'm' failed: 'm.0', 'm.1'")
    assert "and 950 more" in text
    assert "ValueError: bad 0; ValueError: bad 1; ValueError: bad 2" in text
    assert len(text) < 1000


def test_a_group_keeps_everything_when_it_is_pickled():
    error = pickle.loads(pickle.dumps(failing(3)))
    assert (error.step, error.branches, error.of) == ("m", ["m.0", "m.1", "m.2"], 6)
    assert [str(it) for it in error.exceptions] == ["bad 0", "bad 1", "bad 2"]
