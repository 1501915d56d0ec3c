"""Progress on a terminal: a few lines at the bottom, below what runs print."""

import contextlib
import threading
from collections.abc import Sequence
from typing import TextIO, cast

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runnable import defaults
from runnable.capture import written_through
from runnable.progress.run_progress import WAITING, Row, RunProgress
from runnable.progress.texts import end_text, mark_of, seconds_text

_STYLES = {
    "": "cyan",
    WAITING: "dim",
    defaults.SUCCESS: "green",
    defaults.FAIL: "red bold",
    defaults.CANCELLED: "yellow",
}
_LONGEST_LINE = 10_000


class Terminal:
    """The bottom of a terminal, while runs are shown there.

    Args:
        stream: Writes to the terminal.
    """

    seconds_between = 0.2
    """How often it is drawn."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, emoji=False)
        # Everything that is written to the terminal meanwhile has this lock.
        self._lock = threading.RLock()
        self._live: Live | None = None
        self.is_paused = False
        """True while a line without an end is shown, so that nothing is drawn."""
        self._above: dict[int, _Above] = {}
        self._open = contextlib.ExitStack()

    def open(self) -> None:
        """Begin to draw."""
        self._open.enter_context(written_through(self._above_of))
        self._start()

    def _start(self) -> None:
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def draw(self, runs: Sequence[RunProgress]) -> None:
        """Draw the progress of some runs."""
        height = max(self._console.height - 2, 3)
        room = max(height // max(len(runs), 1) - 1, 0)
        drawn = [self._drawn(run, room) for run in runs[: height // 2 or 1]]
        if more := len(runs) - len(drawn):
            drawn.append(Text(f"{more:,} more runs", "dim"))
        with self._lock:
            if self._live is not None:
                self._live.update(Group(*drawn), refresh=True)

    def end(self, run: RunProgress) -> None:
        """Print how a run has ended, above those that go on."""
        with self._lock:
            self._finish_lines()
            self._console.print(Text(end_text(run), _STYLES.get(run.status, "")))

    def close(self) -> None:
        """Draw nothing any more."""
        self._open.close()
        with self._lock:
            self._finish_lines()
            self._above.clear()
            if self._live is not None:
                self._live.stop()
            self._live, self.is_paused = None, False

    def write(self, text: str) -> None:
        """Print text that something else writes, above what is drawn."""
        with self._lock:
            if self._live is None:
                self._console.file.write(text)
            else:
                # As it is: it may have colours of its own.
                self._console.print(Text.from_ansi(text), soft_wrap=True)

    def pause(self, text: str) -> None:
        """Show a line that has no end yet, and draw nothing until it has one."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
                self._live, self.is_paused = None, True
            self._console.file.write(text)
            self._console.file.flush()

    def go_on(self, text: str) -> None:
        """Write to the line that is shown; draw again if that ends it."""
        with self._lock:
            self._console.file.write(text)
            self._console.file.flush()
            if text.endswith("\n") and self.is_paused:
                self.is_paused = False
                self._start()

    def _finish_lines(self) -> None:
        for above in self._above.values():
            above.finish()

    def _above_of(self, stream: TextIO) -> TextIO:
        """Return what is written to instead of a stream, if it shows here."""
        if id(stream) not in self._above:
            if not stream.isatty():
                return stream
            self._above[id(stream)] = _Above(self, self._lock)
        return cast("TextIO", self._above[id(stream)])

    def _drawn(self, run: RunProgress, room: int) -> RenderableType:
        head = Text(run.title, "bold")
        head.append(f"  {seconds_text(run.seconds)}", "dim")
        if not room:
            return head
        table = Table.grid(padding=(0, 1))
        for _ in range(2):
            table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column(justify="right", no_wrap=True)
        for row in run.rows(room):
            table.add_row(*self._cells(row))
        return Group(head, table)

    def _cells(self, row: Row) -> list[Text]:
        style = _STYLES.get(row.status, "")
        mark = mark_of(row.status, self._console.encoding)
        name = f"{'  ' * row.depth}{row.name}"
        seconds = "" if row.seconds is None else seconds_text(row.seconds)
        return [
            Text(f" {mark}", style),
            Text(name, "dim" if row.status == WAITING else ""),
            Text(row.detail, style if row.status == defaults.FAIL else "dim"),
            Text(seconds, "dim"),
        ]


class _Above:
    """Takes what is written to a stream of the terminal, and prints whole lines."""

    def __init__(self, terminal: Terminal, lock: threading.RLock) -> None:
        self._terminal = terminal
        self._lock = lock
        # By thread: `print` writes the end of a line by itself.
        self._rests: dict[int, str] = {}
        self._has_bar = False
        """Whether it goes back to the start of its line."""

    def write(self, text: str, /) -> int:
        thread = threading.get_ident()
        with self._lock:
            self._has_bar = "\r" in text
            if self._terminal.is_paused:
                self._terminal.go_on(text)
                return len(text)
            *lines, rest = (self._rests.pop(thread, "") + text).split("\n")
            if rest:
                # What a carriage return goes back to is written over.
                shown = rest.rpartition("\r")[2] or rest
                self._rests[thread] = shown[-_LONGEST_LINE:]
            if lines:
                whole = [it.rstrip("\r").rpartition("\r")[2] for it in lines]
                self._terminal.write("\n".join(whole))
        return len(text)

    def flush(self) -> None:
        """Show a line that has no end yet, such as a prompt; but not a bar."""
        with self._lock:
            rest = self._rests.get(threading.get_ident(), "")
            if rest and not self._has_bar:
                del self._rests[threading.get_ident()]
                self._terminal.pause(rest)

    def finish(self) -> None:
        """Print lines that have no end."""
        for rest in self._rests.values():
            self._terminal.write(rest.rstrip("\r"))
        self._rests.clear()
