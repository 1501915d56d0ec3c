"""Leave out the frames of the library from the tracebacks of failed runs.

The error of a function in a notebook would be a hundred lines, of which two are the
author's own. With the logger `runnable` at the level DEBUG, nothing is left out.
"""

import logging
import traceback
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
        one.__traceback__ = without_library_frames(one.__traceback__)


def formatted(error: BaseException) -> str:
    """Return the traceback of an error as text, from the code of a user on.

    Args:
        error: It stays as it is.
    """
    own = None
    if not logger.isEnabledFor(logging.DEBUG):
        own = without_library_frames(error.__traceback__)
    lines = traceback.format_exception(type(error), error, own or error.__traceback__)
    return "".join(lines)


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


def without_library_frames(frames: TracebackType | None) -> TracebackType | None:
    """Return a traceback from its first frame outside the library on, if it has one.

    Args:
        frames: The traceback of an error.
    """
    at = frames
    while at is not None:
        module: str = at.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] not in _OWN:
            return at
        at = at.tb_next
    return None
