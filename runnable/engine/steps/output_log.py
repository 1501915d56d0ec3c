"""Output of a step: kept for its execution log, and passed on to the console."""

import threading
from typing import TextIO

from runnable.executor import Console
from runnable.secrets import Masker


class OutputLog:
    r"""Output of one attempt of a step, from any of its threads.

    Args:
        path: The path of the step.
        masker: Hides secrets.
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

    __slots__ = (
        "_console",
        "_is_muted",
        "_live",
        "_lock",
        "_masker",
        "_path",
        "_pieces",
    )

    def __init__(self, path: str, masker: Masker, console: Console = "plain") -> None:
        self._path = path
        self._masker = masker
        self._console = console
        self._pieces: list[str] = []
        self._is_muted = False
        self._live: dict[int, _Live] | None = None
        # A finalizer may print while this very thread prints.
        self._lock = threading.RLock()

    def write(self, text: str, target: TextIO, /) -> None:
        """Pass a piece on, and keep it once it has been accepted."""
        if self._is_muted:
            return
        if self._console == "plain" and not self._masker.knows_any:
            target.write(text)
            self._pieces.append(text)
            return
        with self._lock:
            # Stream by stream: what another one writes may come between two pieces.
            self._pieces.append(self._to(target).write(text))

    def keep(self, text: str, /) -> None:
        """Keep output that another program has shown already."""
        self._pieces.append(text)

    def mute(self) -> None:
        """Drop later output: a thread was left to end by itself."""
        self._is_muted = True

    def _to(self, target: TextIO) -> "_Live":
        if self._live is None:
            self._live = {}
        live = self._live.get(id(target))
        if live is None:
            prefix = f"[{self._path}] " if self._console == "named" else ""
            shown = target if self._console != "none" else None
            live = self._live[id(target)] = _Live(shown, self._masker, prefix)
        return live

    def close(self) -> None:
        """Pass on, and keep, what has been held back."""
        with self._lock:
            for live in (self._live or {}).values():
                self._pieces.append(live.close())

    def text(self) -> str:
        """Return everything so far, without secrets."""
        return self._masker.text("".join(self._pieces))


class _Live:
    """Passes output on to one stream, without secrets, maybe in named lines."""

    def __init__(self, target: TextIO | None, masker: Masker, prefix: str) -> None:
        self._target = target
        self._masker = masker
        self._prefix = prefix
        self._uncertain = ""
        self._line = ""

    def write(self, text: str) -> str:
        """Pass on what is certain, and return it."""
        certain, self._uncertain = self._masker.split(self._uncertain + text)
        self._pass_on(certain)
        return certain

    def _pass_on(self, text: str) -> None:
        if self._prefix:
            *lines, self._line = (self._line + text).split("\n")
            text = "".join(f"{self._prefix}{line}\n" for line in lines)
        if text and self._target is not None:
            # At once: lines of steps that overlap stay whole.
            self._target.write(text)

    def close(self) -> str:
        """Pass on the rest, and return it."""
        rest, self._uncertain = self._masker.text(self._uncertain), ""
        self._pass_on(rest)
        if self._line:
            self._pass_on("\n")
        return rest
