"""What time it is for a run: the machine's time, unless a test holds it."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from runnable.scope import current_scope, set_overrides

Clock = Callable[[], float]
"""Returns the seconds since 1970."""
Wait = Callable[[float], object]
"""Lets so many seconds go by."""


class _Key:
    """Under which a clock is kept with what else holds in a context."""


def seconds() -> float:
    """Return the seconds since 1970, which are the same wherever the clock stands."""
    found = current_scope().overrides.get(_Key)
    return cast("Clock", found[0])() if found else time.time()


def lets_time_go_by(duration: float) -> bool:
    """Go on to a later time, if the clock that holds here can; else wait yourself.

    Args:
        duration: Seconds.

    Returns:
        Whether it is later now.
    """
    found = current_scope().overrides.get(_Key, (None, None))
    if found[1] is None:
        return False
    cast("Wait", found[1])(duration)
    return True


def local_time() -> dt.datetime:
    """Return the local time, without its zone."""
    return dt.datetime.fromtimestamp(seconds())  # noqa: DTZ006 - as run logs have it


@contextmanager
def clock_of(clock: Clock, wait: Wait | None = None) -> Iterator[None]:
    """Have runs within the block, and in this context, ask another clock.

    Args:
        clock: Returns the seconds since 1970.
        wait: Lets time go by before a step is tried again; it is really waited for
            if None.

    Example:
        >>> with clock_of(lambda: 12.5):
        ...     seconds()
        12.5
    """
    before = current_scope().overrides
    set_overrides({**before, _Key: (clock, wait)})
    try:
        yield
    finally:
        set_overrides(before)
