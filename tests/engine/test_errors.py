"""Errors of the engine say what happened, and survive a process border."""

import pickle

import pytest

from runnable.engine.errors import (
    ExecutionCancelledError,
    ExecutionFailedError,
    StepTimeoutError,
    WorkerError,
)

ERRORS = [
    ExecutionFailedError("r1", None, "step 'a': ValueError: no"),
    ExecutionCancelledError("r1"),
    StepTimeoutError(1.5),
    StepTimeoutError(1.5, abandoned=True),
    WorkerError("branch 'm.1' cannot be sent"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda it: type(it).__name__)
def test_text_and_attributes_survive_pickling(error):
    copied = pickle.loads(pickle.dumps(error))
    assert type(copied) is type(error)
    assert str(copied) == str(error)
    assert vars(copied) == vars(error)


def test_a_failed_execution_names_its_run_and_its_reason():
    assert "'r1'" in str(ERRORS[0])
    assert "step 'a': ValueError: no" in str(ERRORS[0])
    assert ERRORS[0].run_id == "r1"


def test_a_timeout_names_the_seconds():
    assert "1.5" in str(StepTimeoutError(1.5))
