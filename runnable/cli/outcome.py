"""What a command comes to, for the shell."""

import enum
import json
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import FrameType
from typing import TextIO

from runnable.exceptions import ExecutionFailedError, RunnableError

_LIBRARY = str(Path(__file__).parents[1])


class Exit(enum.IntEnum):
    """What a command tells the shell, if it is no success."""

    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130
    TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM); a run is ended as by Ctrl-C."""


class FailedError(Exception):
    """A command has failed; it says why, and with which status it exits."""

    def __init__(self, why: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(why)
        self.code = code


class Answer:
    """Where a command answers: text for people, or JSON alone."""

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self._stream = stream
        self.as_json = as_json

    def say(self, text: str) -> None:
        """Print text, unless a program is listening."""
        if not self.as_json:
            print(text, file=self._stream)

    def give(self, value: object) -> None:
        """Print a value as one line of JSON, if a program is listening."""
        if self.as_json:
            line = json.dumps(value, default=str)
            print(line, file=self._stream, flush=True)


@contextmanager
def told_to_the_shell(
    *, as_json: bool = False, verbose: bool = False
) -> Iterator[Answer]:
    """Say in one block why a command did not succeed, and exit with its status.

    Within the block, SIGTERM interrupts what runs, so that a run can record its end.
    With JSON, what is printed by others goes to standard error.

    Args:
        as_json: Whether a program is listening.
        verbose: Whether the traceback is wanted.

    Yields:
        Where the command answers.

    Raises:
        SystemExit: If it did not succeed.
    """
    answer = Answer(sys.stdout, as_json=as_json)
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        with redirect_stdout(sys.stderr if as_json else sys.stdout):
            yield answer
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last frame
        why, code = _explained(error)
        if verbose:
            traceback.print_exc()
        answer.give({"error": why, "exit_status": int(code)})
        print(f"runnable: {why}", file=sys.stderr)  # noqa: T201
        raise SystemExit(code) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Terminated


def _explained(error: BaseException) -> tuple[str, Exit]:
    match error:
        case FailedError():
            return str(error), error.code
        case ExecutionFailedError():
            return str(error), Exit.FAILED
        case RunnableError():
            return str(error), Exit.USAGE
        case Terminated():
            return "terminated; its run is recorded as CANCELLED", Exit.TERMINATED
        case KeyboardInterrupt():
            return "interrupted; its run is recorded as CANCELLED", Exit.INTERRUPTED
        case _:
            return _unexpected(error), Exit.FAILED


def _unexpected(error: BaseException) -> str:
    text = str(error).strip() or "(it says nothing)"
    more = "; --verbose shows the traceback"
    return f"{type(error).__name__}: {text}{_place(error)}{more}"


def _place(error: BaseException) -> str:
    """Say where the user's code was, if it was in any."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [it for it in frames if not it.filename.startswith((_LIBRARY, "<frozen"))]
    return f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
