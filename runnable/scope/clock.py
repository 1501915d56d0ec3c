"""The time of a run: the machine's, unless a test sets another clock."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from runnable.scope.current import (
    Clock,
    current_scope,
    set_clock,
    steady_seconds,
)


def seconds() -> float:
    """Return the seconds since 1970.

    Within a run they never go back, whatever happens to the clock of the machine.
    """
    scope = current_scope()
    if scope.clock is not None:
        return scope.clock.now()
    if scope.run is None:
        return time.time()
    return scope.run.clock_offset + steady_seconds()


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
