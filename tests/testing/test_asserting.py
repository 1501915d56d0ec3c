"""What a step has returned is compared as people would."""

import math

import numpy as np
import pandas as pd
import pytest

from runnable import PythonTask, pickled
from runnable.exceptions import StepLogNotFoundError
from runnable.testing import assert_outputs, assert_ran


class Stubborn:
    """Equal to nothing, and not to be pickled."""

    def __eq__(self, other):
        return False

    def __hash__(self):
        return 0

    def __reduce__(self):
        raise TypeError("no")


def cyclic():
    made = [1]
    made.append(made)
    return made


def returned(run_pipeline, value):
    services = {"catalog": {"type": "do-nothing"}}
    step = PythonTask(name="s", function=lambda: value, returns=[pickled("x")])
    return run_pipeline(step.as_pipeline(), services=services)


@pytest.mark.parametrize(
    "make",
    [
        lambda: 1,
        lambda: math.nan,
        lambda: [1, {"a": math.nan}],
        lambda: np.array([[1.0, np.nan]]),
        lambda: np.asfortranarray(np.eye(3)),
        lambda: {"a": np.arange(3)},
        lambda: pd.DataFrame({"a": [1.0, np.nan]}),
        lambda: pd.Series(["a", None]),
        cyclic,
    ],
)
def test_equal(run_pipeline, make):
    assert_outputs(returned(run_pipeline, make()), "s", {"x": make()})


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (1, 2),
        (math.nan, 1.0),
        (np.arange(3), np.arange(4)),
        (np.arange(3), [5]),
        (np.zeros((0, 3)), np.zeros(0)),
        (np.arange(3), np.arange(3.0)),
        (np.arange(3).reshape(3, 1), np.arange(3)),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [2]})),
        (cyclic(), [1]),
        (Stubborn(), Stubborn()),
    ],
)
def test_different(run_pipeline, found, expected):
    with pytest.raises(AssertionError, match=r"(?s)x: expected .*, got "):
        assert_outputs(returned(run_pipeline, found), "s", {"x": expected})


def test_slips_are_explained(run_pipeline):
    run_log = returned(run_pipeline, 1)
    with pytest.raises(TypeError, match="one by one"):
        assert_ran(run_log, ["s"])
    with pytest.raises(StepLogNotFoundError, match=r"no step 't'.*Known: .*s"):
        assert_outputs(run_log, "t", {})
