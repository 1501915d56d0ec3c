"""Leave out the frames of the library from the tracebacks of failed runs.

The error of a function in a notebook would be a hundred lines, of which two are the
author's own. With the logger `runnable` at the level DEBUG, nothing is left out.
"""

import logging
from collections.abc import Iterator
from types import TracebackType
from typing import cast

from runnable.system.main_program import OWN

_OWN = OWN | {"asyncio", "concurrent", "threading"}

logger = logging.getLogger("runnable")


def shorten(error: BaseException) -> None:
    """Have an error, and its causes, begin where the code of a user does.

    Args:
        error: Its traceback gets the frames of its caller when it is raised again.
    """
    if logger.isEnabledFor(logging.DEBUG):
        return
    for one in _with_causes(error):
        one.__traceback__ = _from_users(one.__traceback__)


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    left, seen = [error], set[int]()
    while left:
        one = left.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        causes = (one.__cause__, None if one.__suppress_context__ else one.__context__)
        left += [cause for cause in causes if cause is not None]
        if isinstance(one, BaseExceptionGroup):
            left += cast("tuple[BaseException, ...]", one.exceptions)


def _from_users(traceback: TracebackType | None) -> TracebackType | None:
    """Return a traceback from its first frame outside the library on, if it has one."""
    at = traceback
    while at is not None:
        module: str = at.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in _OWN:
            return at
        at = at.tb_next
    return None
