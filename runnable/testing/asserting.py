"""Assertions about runs; a failure describes the actual result."""

import contextlib
import pickle
from collections.abc import Mapping
from typing import Protocol, cast, runtime_checkable

from runnable import defaults
from runnable.datastore import RunLog
from runnable.graph import TERMINAL_NAMES
from runnable.report import error_of, summarise


def assert_succeeded(run_log: RunLog) -> None:
    """Fail unless a run has succeeded.

    Args:
        run_log: The log of the run.

    Raises:
        AssertionError: With how the run went.

    Example:
        >>> assert_succeeded(RunLog(run_id="r1", status="SUCCESS"))
    """
    __tracebackhide__ = True
    if run_log.status != defaults.SUCCESS:
        why = error_of(run_log) or run_log.status
        raise AssertionError(f"the run has not succeeded: {why}\n{summarise(run_log)}")


def assert_failed(run_log: RunLog, at: str = "", message: str = "") -> None:
    """Fail unless a run has failed.

    Args:
        run_log: The log of the run.
        at: The path of a step that must have failed.
        message: Must be in the error of that step, or of the run.

    Raises:
        AssertionError: With how the run went.
    """
    __tracebackhide__ = True
    if run_log.status != defaults.FAIL:
        problem = f"the run has not failed, it is {run_log.status}"
        raise AssertionError(f"{problem}\n{summarise(run_log)}")
    messages = {
        step.internal_name: step.attempts[-1].message if step.attempts else step.message
        for step in run_log.all_steps()
        if step.status == defaults.FAIL
    }
    if at and at not in messages:
        failed = ", ".join(messages) or "none"
        raise AssertionError(f"step {at!r} has not failed; what failed: {failed}")
    texts = [messages[at]] if at else list(messages.values())
    if not any(message in text for text in texts):
        listed = "\n".join(f"  {name}: {text}" for name, text in messages.items())
        raise AssertionError(f"no error contains {message!r}; the errors are\n{listed}")


def assert_ran(run_log: RunLog, *paths: str) -> None:
    """Fail unless these steps were run, in this order, and no others.

    Args:
        run_log: The log of the run.
        paths: Paths of steps, without those that have branches and the ends of graphs.

    Raises:
        AssertionError: With what differs.
        TypeError: If a path is no text.
    """
    __tracebackhide__ = True
    if not all(isinstance(path, str) for path in cast("tuple[object, ...]", paths)):
        raise TypeError('write the paths one by one: assert_ran(run_log, "a", "b")')
    ran = [
        step.internal_name
        for step in run_log.all_steps()
        if step.attempts and step.step_type not in TERMINAL_NAMES
    ]
    if ran != list(paths):
        missing = [path for path in paths if path not in ran]
        more = [path for path in ran if path not in paths]
        raise AssertionError(
            f"other steps were run\n  expected: {list(paths)}\n  ran:      {ran}"
            f"\n  missing:  {missing}\n  more:     {more}"
        )


def assert_outputs(run_log: RunLog, path: str, expected: Mapping[str, object]) -> None:
    """Fail unless a step has returned these values.

    Args:
        run_log: The log of the run.
        path: The path of the step.
        expected: The values by name; objects are loaded.

    Raises:
        AssertionError: With each value that differs.
    """
    __tracebackhide__ = True
    step, _ = run_log.search_step_by_internal_name(path)
    outputs = step.attempts[-1].output_parameters if step.attempts else {}
    found = {name: parameter.get_value() for name, parameter in outputs.items()}
    lines = [
        f"  {name}: expected {_shown(name, expected)}, got {_shown(name, found)}"
        for name in dict.fromkeys([*expected, *found])
        if name not in expected
        or name not in found
        or not _are_equal(found[name], expected[name])
    ]
    if lines:
        raise AssertionError(f"step {path!r} has returned\n" + "\n".join(lines))


def _shown(name: str, values: Mapping[str, object]) -> str:
    return repr(values[name]) if name in values else "nothing"


def _are_equal(found: object, expected: object) -> bool:
    """Return True if values are equal; arrays and frames as wholes, NaN to itself."""
    if isinstance(found, _Frame):
        return bool(found.equals(expected))
    if isinstance(found, _Array) and isinstance(expected, _Array):
        if (found.shape, found.dtype) != (expected.shape, expected.dtype):
            return False
        found, expected = found.tolist(), expected.tolist()
    # Arrays within something have no truth, and what contains itself has no end.
    with contextlib.suppress(ValueError, RecursionError):
        if found == expected:
            return True
    try:
        return pickle.dumps(found) == pickle.dumps(expected)
    except (pickle.PicklingError, TypeError, AttributeError):
        return False  # it cannot be pickled, and `==` answered that it is not equal


@runtime_checkable
class _Frame(Protocol):
    def equals(self, other: object, /) -> object: ...


@runtime_checkable
class _Array(Protocol):
    @property
    def shape(self) -> object: ...
    @property
    def dtype(self) -> object: ...
    def tolist(self) -> object: ...
