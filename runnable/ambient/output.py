"""What a step writes: kept for its execution log, and passed on to the console."""

import threading
from typing import Literal, TextIO

from runnable.secrets import Masker

Console = Literal["plain", "named", "none"]
"""How output is passed on while it comes: as it is (but for secrets), in whole lines
that begin with the path of the step, or not at all."""


class OutputLog:
    r"""What one attempt of a step writes, from any of its threads.

    Args:
        path: The path of the step.
        masker: Hides secrets in what is passed on; what is kept is masked when it is
            stored, as a whole.
        console: How output is passed on.

    Example:
        >>> import sys
        >>> log = OutputLog("fit", Masker(), "named")
        >>> log.write("half a ", sys.stdout); log.write("line\nrest", sys.stdout)
        [fit] half a line
        >>> log.close()
        [fit] rest
        >>> log.text()
        'half a line\nrest'
    """

    __slots__ = ("_console", "_live", "_lock", "_masker", "_path", "_pieces")

    def __init__(self, path: str, masker: Masker, console: Console = "plain") -> None:
        self._path = path
        self._masker = masker
        self._console = console
        self._pieces: list[str] = []
        self._live: dict[int, _Live] = {}
        # What the garbage collector ends may print while its thread prints.
        self._lock = threading.RLock()

    def write(self, text: str, target: TextIO, /) -> None:
        """Pass a piece on, and keep it once it has been accepted."""
        if self._console == "plain" and not self._masker.knows_any:
            target.write(text)
        elif self._console != "none":
            with self._lock:
                self._to(target).write(text)
        self._pieces.append(text)

    def keep(self, text: str, /) -> None:
        """Keep what somebody else shows."""
        self._pieces.append(text)

    def _to(self, target: TextIO) -> "_Live":
        live = self._live.get(id(target))
        if live is None:
            prefix = f"[{self._path}] " if self._console == "named" else ""
            live = self._live[id(target)] = _Live(target, self._masker, prefix)
        return live

    def close(self) -> None:
        """Pass on what has been held back."""
        with self._lock:
            for live in self._live.values():
                live.close()

    def text(self) -> str:
        """Return everything so far, as it was written."""
        return "".join(self._pieces)


class _Live:
    """Passes output on to one stream, without secrets, maybe in named lines."""

    def __init__(self, target: TextIO, masker: Masker, prefix: str) -> None:
        self._target = target
        self._masker = masker
        self._prefix = prefix
        self._uncertain = ""
        self._line = ""

    def write(self, text: str) -> None:
        certain, self._uncertain = self._masker.split(self._uncertain + text)
        self._pass_on(certain)

    def _pass_on(self, text: str) -> None:
        if self._prefix:
            *lines, self._line = (self._line + text).split("\n")
            text = "".join(f"{self._prefix}{line}\n" for line in lines)
        if text:
            # At once: lines of steps that overlap stay whole.
            self._target.write(text)

    def close(self) -> None:
        rest, self._uncertain = self._masker.text(self._uncertain), ""
        self._pass_on(rest)
        if self._line:
            self._pass_on("\n")
