"""What time it is for a run: the machine's time, unless a test holds it."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from runnable.scope import current_scope, set_overrides

Clock = Callable[[], float]
"""Returns the seconds since 1970."""


class _Key:
    """Under which a clock is kept with what else holds in a context."""


def seconds() -> float:
    """Return the seconds since 1970, which are the same wherever the clock stands."""
    found = current_scope().overrides.get(_Key)
    return cast("Clock", found[-1])() if found else time.time()


def local_time() -> dt.datetime:
    """Return the local time, without its zone."""
    return dt.datetime.fromtimestamp(seconds())  # noqa: DTZ006 - as run logs have it


@contextmanager
def clock_of(clock: Clock) -> Iterator[None]:
    """Have runs within the block, and in this context, ask another clock.

    Args:
        clock: Returns the seconds since 1970.

    Example:
        >>> with clock_of(lambda: 12.5):
        ...     seconds()
        12.5
    """
    before = current_scope().overrides
    set_overrides({**before, _Key: (clock,)})
    try:
        yield
    finally:
        set_overrides(before)
