"""The program that starts pipelines, such as the command line, and its options."""

import threading
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager

from runnable.scope.current import current_scope, set_launcher
from runnable.scope.options import Launcher

NOBODY = Launcher()
_PROGRAM = [NOBODY]
"""The launchers of this process, the innermost last."""


def launcher() -> Launcher:
    """Return the launcher that is set here, or a default one."""
    return current_scope().launcher or _PROGRAM[-1]


@contextmanager
def launched_by(who: Launcher) -> Generator[None]:
    """Set the launcher within a block.

    Args:
        who: Options, and what is to be called.

    Example:
        >>> from runnable.scope.options import Options
        >>> with launched_by(Launcher(Options(tag="nightly"))):
        ...     launcher().options.tag
        'nightly'
    """
    before = current_scope().launcher
    set_launcher(who)
    try:
        yield
    finally:
        set_launcher(before)


@contextmanager
def program_launched_by(who: Launcher) -> Generator[None]:
    """Set the launcher of this process, in all its threads.

    Only for who has the process to itself, such as the command line: what holds in a
    context comes first.

    Args:
        who: Options, and what is to be called.
    """
    _PROGRAM.append(who)
    try:
        yield
    finally:
        if not _others_go_on():  # what they still begin is of the same program
            _PROGRAM.remove(who)


def _others_go_on() -> bool:
    here = threading.current_thread()
    return any(it is not here and not it.daemon for it in threading.enumerate())


def not_launched() -> AbstractContextManager[None]:
    """Ignore the launcher within a block: what is called there runs for real."""
    return launched_by(NOBODY)
