"""A real pseudo-terminal with a program in it, whose screen can be read."""

import fcntl
import os
import pty
import select
import struct
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyte

ROWS, COLUMNS = 30, 100


class Terminal:
    """Runs a program in a terminal.

    Args:
        command: The program, and its arguments.
        **variables: Of its environment, beside those of this process.
    """

    def __init__(self, command: Sequence[str], **variables: str) -> None:
        self._screen = pyte.HistoryScreen(COLUMNS, ROWS, history=10_000)
        self._stream = pyte.ByteStream(self._screen)
        self.written = b""
        """Everything that was written, as it was."""
        environment = {**os.environ, "TERM": "xterm-256color", **variables}
        if "CI" not in variables:
            environment.pop("CI", None)
        self._process, self._file = pty.fork()
        if not self._process:
            os.execvpe(command[0], command, environment)  # noqa: S606 - no shell
        size = struct.pack("HHHH", ROWS, COLUMNS, 0, 0)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, size)

    @property
    def screen(self) -> str:
        """What is seen now."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    @property
    def everything(self) -> str:
        """What is seen now, and what has gone above it."""
        above = (
            "".join(line[column].data for column in range(COLUMNS)).rstrip()
            for line in self._screen.history.top
        )
        return "\n".join([*above, self.screen]).strip()

    def wait_for(self, is_there: Callable[[str], bool], seconds: float = 60) -> str:
        """Wait until the screen has something; return the screen."""
        end = time.monotonic() + seconds
        while not is_there(self.screen):
            assert time.monotonic() < end, f"it is not there:\n{self.screen}"
            assert self._read(), f"it has ended:\n{self.screen}"
        return self.screen

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._file, text.encode())

    def hang_up(self) -> None:
        """Close the terminal, as when a connection is lost."""
        os.close(self._file)

    def end(self, seconds: float = 60) -> int:
        """Wait for its end; return its exit status."""
        end = time.monotonic() + seconds
        while self._read():
            assert time.monotonic() < end, f"it does not end:\n{self.screen}"
        os.close(self._file)
        _, status = os.waitpid(self._process, 0)
        return os.waitstatus_to_exitcode(status)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._file], [], [], 0.05)
        if not ready:
            return True
        try:
            piece = os.read(self._file, 65536)
        except OSError:  # the other side is closed
            return False
        self.written += piece
        self._stream.feed(piece)
        return bool(piece)


def wait_for_file(name: str) -> None:
    """Wait until a file is there: for steps that a test lets go on."""
    end = time.monotonic() + 60
    while not Path(name).exists():
        assert time.monotonic() < end, f"{name} has not come"
        time.sleep(0.01)
