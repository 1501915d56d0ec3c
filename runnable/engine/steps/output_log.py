"""Output of a step: kept for its execution log, and passed on to the console.

Theory of operation. Pieces are kept in memory; what is more than a megabyte goes to a
temporary file without a name. Of very long output, the end replaces what was before it,
with a line that says how much is left out.
"""

import contextlib
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import TextIO

from runnable.capture import Streams
from runnable.executor import Console
from runnable.secrets import Masker

MOST_IN_MEMORY = 1_000_000
"""Characters that one attempt keeps in memory."""
MOST_KEPT = 256_000_000
"""Characters of an execution log; of more, the last ones follow after a gap."""
_PIECE = 65_536
_LONGEST_LINE = 65_536
"""A longer one is passed on in lines of this length where lines are named."""


class OutputLog:
    r"""Output of one attempt of a step, from any of its threads.

    Args:
        path: The path of the step.
        masker: Hides secrets.
        console: How output is passed on.
        streams: Where to; those of this process if None.

    Example:
        >>> import sys
        >>> log = OutputLog("fit", Masker(), "named")
        >>> log.write("half a ", sys.stdout); log.write("line\nrest", sys.stdout)
        [fit] half a line
        >>> log.close()
        [fit] rest
        >>> "".join(log.texts())
        'half a line\nrest'
    """

    __slots__ = (
        "_console",
        "_file",
        "_in_file",
        "_is_muted",
        "_left_out",
        "_live",
        "_lock",
        "_masker",
        "_path",
        "_pieces",
        "_recent",
        "_streams",
        "is_over",
        "on_first",
    )

    def __init__(
        self,
        path: str,
        masker: Masker,
        console: Console = "plain",
        streams: Streams | None = None,
    ) -> None:
        self._path = path
        self._streams = streams
        self._masker = masker
        self._console = console
        self._pieces: list[str] = []
        self._recent = 0
        """The characters of the pieces."""
        self._file: TextIO | None = None
        self._in_file = 0
        self._left_out = 0
        self._is_muted = False
        self.is_over = False
        """True after the attempt has ended."""
        self.on_first: Callable[[], object] | None = None
        """Called when something is kept for the first time."""
        self._live: dict[int, _Live] | None = None
        # A finalizer may print while this very thread prints.
        self._lock = threading.RLock()

    def write(self, text: str, target: TextIO, /) -> None:
        """Pass a piece on, and keep it once it has been accepted."""
        if self._is_muted:
            return
        if self._streams is not None:
            target = _instead_of(target, self._streams)
        if self._console == "plain" and not self._masker.knows_any:
            target.write(text)
            self.keep(text)
            return
        with self._lock:
            # Stream by stream: what another one writes may come between two pieces.
            self.keep(self._to(target).write(text))

    def keep(self, text: str, /) -> None:
        """Keep output that has been shown already."""
        self._pieces.append(text)
        self._recent += len(text)
        if (first := self.on_first) is not None:
            self.on_first = None
            first()
        if self._recent > MOST_IN_MEMORY:
            with self._lock:
                self._make_room()

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

    def _make_room(self) -> None:
        """Move what is in memory to the file; forget it if that is full."""
        # Other threads may append meanwhile.
        number = len(self._pieces)
        text = "".join(self._pieces[:number])
        room = max(0, MOST_KEPT - self._in_file)
        if not self.is_over and room:
            self._write_to_file(text[:room])
        rest = text[room:]
        self._left_out += max(0, len(rest) - _PIECE)
        self._pieces[:number] = [rest[-_PIECE:]]
        self._recent = min(len(rest), _PIECE)

    def _write_to_file(self, text: str) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(  # noqa: SIM115 - see release
                "w+", encoding="utf-8", errors="backslashreplace", newline=""
            )
        self._file.write(text)
        self._in_file += len(text)

    def close(self) -> None:
        """Pass on, and keep, what has been held back."""
        if self._live is None:
            return
        with self._lock:
            for live in self._live.values():
                self.keep(live.close())

    @property
    def is_empty(self) -> bool:
        """True if nothing was printed so far, or nothing of it passed on yet."""
        return not self._pieces and self._file is None

    @property
    def is_unused(self) -> bool:
        """True if nothing was printed so far."""
        return not self._pieces and self._live is None and self._file is None

    @property
    def is_long(self) -> bool:
        """True if there is more than is kept in memory."""
        return self._file is not None

    @property
    def length(self) -> int:
        """How many characters there are so far."""
        return self._in_file + self._left_out + self._recent

    def so_far(self) -> str:
        """Return what was printed so far, without secrets; of much, the last part.

        May be called in another thread while more is printed.
        """
        with self._lock:
            earlier = self._in_file + self._left_out
            text, _ = self._masker.split("".join(self._pieces))
        return f"[{earlier:,} characters before this]\n{text}" if earlier else text

    def texts(self) -> Iterator[str]:
        """Return everything so far, without secrets, piece by piece."""
        rest = ""
        for piece in self._kept():
            certain, rest = self._masker.split(rest + piece)
            yield certain
        yield self._masker.text(rest)

    def _kept(self) -> Iterator[str]:
        if self._file is not None:
            self._file.seek(0)
            while piece := self._file.read(_PIECE):
                yield piece
        if self._left_out:
            yield (
                f"\n[{self._left_out:,} characters are left out: an execution log has "
                f"the first {MOST_KEPT:,} of an attempt, and the last ones]\n"
            )
        yield "".join(self._pieces)

    def release(self) -> None:
        """Forget everything; later output is shown, and not kept."""
        with self._lock:
            self.is_over = True
            self.on_first = None
            self._pieces.clear()
            if self._file is not None:
                with contextlib.suppress(OSError):
                    self._file.close()


def _instead_of(target: TextIO, streams: Streams) -> TextIO:
    real = getattr(sys.stderr, "target", sys.stderr)
    return streams.stderr if target is real else streams.stdout


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
            while len(self._line) > _LONGEST_LINE:
                lines.append(self._line[:_LONGEST_LINE])
                self._line = self._line[_LONGEST_LINE:]
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
