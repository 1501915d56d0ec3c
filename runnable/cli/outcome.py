"""Outcomes of commands: output, errors and exit status."""

import enum
import os
import signal
import sys
import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from runnable.errors import RunnableError
from runnable.system.plain_text import plain
from runnable.system.wiring_import import import_wiring

if TYPE_CHECKING:
    from runnable.secrets import Masker

_LIBRARY = str(Path(__file__).parents[1])


class Exit(enum.IntEnum):
    """Exit statuses of commands that do not succeed."""

    FAILED = 1
    USAGE = 2
    INTERRUPTED = 130
    UNHEARD = 141
    TERMINATED = 143


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM); a run is ended as by Ctrl-C."""


class FailedError(Exception):
    """A command has failed, with a reason and an exit status."""

    def __init__(self, why: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(why)
        self.code = code


def show(text: str, stream: TextIO) -> None:
    """Print text that may come from anywhere, such as the message of an error.

    Args:
        text: Control characters in it are shown, so that none reaches a terminal; so
            are letters that the encoding of the stream does not have.
        stream: Where it is printed.
    """
    encoding = getattr(stream, "encoding", None) or "utf-8"
    known = plain(text).encode(encoding, "backslashreplace").decode(encoding)
    print(known, file=stream, flush=True)  # others may be following


class Answer:
    """Writes the output of a command: text for people, or JSON alone."""

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self._stream = stream
        self.as_json = as_json
        self.has_given = False
        """True if JSON was written."""
        self.run_id = ""
        """The run that began last, if any."""
        self.masker: Masker | None = None
        """Knows the secrets of the runs."""

    def masked(self, text: str) -> str:
        """Return a text without secrets."""
        return self.masker.text(text) if self.masker is not None else text

    def say(self, text: str) -> None:
        """Print text, unless a program is listening."""
        if not self.as_json:
            show(text, self._stream)

    def note(self, text: str) -> None:
        """Print text on standard error, in a terminal: beside what a script prints."""
        if text and not self.as_json and sys.stderr.isatty():
            show(text, sys.stderr)

    def complain(self, text: str) -> None:
        """Print text on standard error, unless a program is listening."""
        if not self.as_json:
            show(text, sys.stderr)

    def give(self, value: object) -> None:
        """Print a value as one line of JSON, if a program is listening."""
        if self.as_json:
            from pydantic_core import to_json  # only for programs

            self.has_given = True
            # JSON knows no NaN.
            line = to_json(value, inf_nan_mode="null", fallback=str).decode()
            print(line, file=self._stream, flush=True)


@contextmanager
def told_to_the_shell(
    *, as_json: bool = False, verbose: bool = False
) -> Generator[Answer]:
    """Report in one block why a command did not succeed, and exit with its status.

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
    import_wiring()
    before = signal.signal(signal.SIGTERM, _terminate)
    with _standard_output(as_json=as_json) as stream:
        answer = Answer(stream, as_json=as_json)
        try:
            yield answer
            stream.flush()
        except BrokenPipeError:
            # The reader closed the pipe: nothing more can be written.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise SystemExit(Exit.UNHEARD) from None
        except SystemExit as left:
            if left.code and not answer.has_given:
                status = left.code if isinstance(left.code, int) else Exit.FAILED
                why = f"the script has left by sys.exit({left.code!r})"
                answer.give({"error": why, "exit_status": int(status)})
            raise
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the last frame
            why, code = _explained(error, answer.run_id)
            why = answer.masked(why)
            if verbose:
                show(answer.masked(traceback.format_exc()), sys.stderr)
            if not answer.has_given:
                answer.give({"error": why, "exit_status": int(code)})
            show(f"runnable: {why}", sys.stderr)
            raise SystemExit(code) from None
        finally:
            signal.signal(signal.SIGTERM, before)


@contextmanager
def _standard_output(*, as_json: bool) -> Generator[TextIO]:
    """Keep standard output for JSON: other output, also of children, goes to stderr."""
    if not as_json:
        yield sys.stdout
        return
    sys.stdout.flush()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as stream:
        os.dup2(2, 1)
        try:
            yield stream
        finally:
            sys.stdout.flush()
            os.dup2(stream.fileno(), 1)


def _terminate(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise Terminated


def _explained(error: BaseException, run_id: str) -> tuple[str, Exit]:
    again = f"; `runnable retry {run_id}` resumes it" if run_id else ""
    recorded = f"; run {run_id!r} is recorded as CANCELLED{again}" if run_id else ""
    from runnable.engine.errors import ExecutionFailedError  # only errors pay for it

    match error:
        case FailedError():
            return str(error), error.code
        case ExecutionFailedError():
            cause = error.__cause__
            location = _location(cause) if cause is not None else ""
            return f"{error}{location}{again}", Exit.FAILED
        case RunnableError():
            return str(error), Exit.USAGE
        case Terminated():
            return f"terminated{recorded}", Exit.TERMINATED
        case KeyboardInterrupt():
            return f"interrupted{recorded}", Exit.INTERRUPTED
        case _:
            return _unexpected(error), Exit.FAILED


def _unexpected(error: BaseException) -> str:
    text = str(error).strip() or "(no message)"
    more = "; --verbose shows the traceback"
    return f"{type(error).__name__}: {text}{_location(error)}{more}"


def _location(error: BaseException) -> str:
    """Return the location in the user's code, if there is one."""
    frames = traceback.extract_tb(error.__traceback__)
    others = (_LIBRARY, "<", sys.base_prefix, sys.prefix)
    own = [it for it in frames if not it.filename.startswith(others)]
    return f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
