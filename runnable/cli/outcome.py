"""What a run that was started from the command line comes to, for the shell."""

import enum
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from runnable.exceptions import ExecutionFailedError, RunnableError


class Exit(enum.IntEnum):
    """What a command tells the shell, if it is no success."""

    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130
    TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM); a run is ended as by Ctrl-C."""


@contextmanager
def told_to_the_shell() -> Iterator[None]:
    """Say in one line why a run did not succeed, and exit with the status for it.

    Within the block, SIGTERM interrupts what runs, so that a run can record its end.

    Raises:
        SystemExit: If it did not succeed. What a script raises itself, passes.
    """
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except ExecutionFailedError as error:
        _leave(str(error), Exit.FAILED)
    except RunnableError as error:
        _leave(str(error), Exit.USAGE)
    except Terminated:
        _leave("terminated; its run is recorded as CANCELLED", Exit.TERMINATED)
    except KeyboardInterrupt:
        _leave("interrupted; its run is recorded as CANCELLED", Exit.INTERRUPTED)
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Terminated


def _leave(why: str, code: Exit) -> None:
    typer.echo(f"runnable: {why}", err=True)
    raise SystemExit(code)
