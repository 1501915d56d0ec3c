"""Test pipelines and what runs them: the fixtures are in `plugin`, for pytest."""

from runnable.testing.asserting import (
    assert_failed,
    assert_outputs,
    assert_ran,
    assert_succeeded,
)
from runnable.testing.clock import FrozenClock
from runnable.testing.patching import mocked, replaced
from runnable.testing.running import StepResult, one_step

__all__ = [
    "FrozenClock",
    "StepResult",
    "assert_failed",
    "assert_outputs",
    "assert_ran",
    "assert_succeeded",
    "mocked",
    "one_step",
    "replaced",
]
