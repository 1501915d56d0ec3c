"""The time of a run: the machine's, unless a test sets another clock."""

import datetime as dt
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from runnable.scope.current import Clock, current_scope, set_clock


def seconds() -> float:
    """Return a POSIX timestamp, which does not depend on the time zone."""
    clock = current_scope().clock
    return clock.now() if clock is not None else time.time()


def advance_clock(duration: float) -> bool:
    """Advance the test clock if one is active.

    Args:
        duration: Seconds.

    Returns:
        False if there is none, so that the caller has to wait.
    """
    clock = current_scope().clock
    if clock is None or clock.wait is None:
        return False
    clock.wait(duration)
    return True


def local_time() -> dt.datetime:
    """Return the local time, without its zone."""
    return dt.datetime.fromtimestamp(seconds())  # noqa: DTZ006 - as run logs have it


@contextmanager
def clock_of(
    now: Callable[[], float], wait: Callable[[float], object] | None = None
) -> Generator[None]:
    """Set another clock for runs within the block, and in this context.

    Args:
        now: Returns a POSIX timestamp.
        wait: Advances the clock before a step is tried again; runs really wait if None.

    Example:
        >>> with clock_of(lambda: 12.5):
        ...     seconds()
        12.5
    """
    before = current_scope().clock
    set_clock(Clock(now, wait))
    try:
        yield
    finally:
        set_clock(before)
