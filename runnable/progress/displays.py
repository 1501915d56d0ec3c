"""Choose how progress is shown, and show all runs of a terminal in one place.

Theory of operation. A terminal belongs to the process: runs that are shown at the same
time share one display of it, which the first one opens and the last one closes. A
thread of the display draws it again and again; runs only take note of their events.
"""

import contextlib
import sys
import threading
from collections.abc import Generator, Sequence
from contextvars import copy_context
from typing import Protocol, TextIO

from runnable.capture import real_environment, real_stream
from runnable.context import RunContext
from runnable.progress.lines import Lines
from runnable.progress.run_progress import RunProgress


class Screen(Protocol):
    """Something that progress is drawn on."""

    @property
    def seconds_between(self) -> float:
        """How often it is drawn."""
        ...

    def open(self) -> None:
        """Begin to draw."""

    def draw(self, runs: Sequence[RunProgress]) -> None:
        """Draw the progress of some runs."""

    def end(self, run: RunProgress) -> None:
        """Show how a run has ended."""

    def close(self) -> None:
        """Draw nothing any more."""


class Display:
    """A screen, and the runs that are shown on it.

    Args:
        screen: Where it draws.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._runs: list[RunProgress] = []
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, run: RunProgress) -> None:
        """Show a run."""
        with self._changed:
            if not self._runs:
                self._screen.open()
                # In this context: a notebook finds its cell by it.
                target = copy_context().run
                args = (self._draw_on,)
                self._thread = threading.Thread(target=target, args=args, daemon=True)
                self._thread.start()
            self._runs.append(run)

    def remove(self, run: RunProgress, *, is_told: bool) -> bool:
        """Show a run no more.

        Args:
            run: The run.
            is_told: Whether to show how it has ended.

        Returns:
            Whether another one is shown.
        """
        with self._changed:
            self._runs.remove(run)
            if is_told:
                self._screen.end(run)
            if self._runs:
                return True
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None:
            thread.join()
        self._screen.close()
        return False

    def _draw_on(self) -> None:
        with self._changed:
            while self._thread is threading.current_thread():
                self._screen.draw(tuple(self._runs))
                self._changed.wait(self._screen.seconds_between)


_LOCK = threading.Lock()
_OPEN: list[Display] = []
"""The display of this process, while runs are shown."""


@contextlib.contextmanager
def shown(context: RunContext, *, is_told: bool = True) -> Generator[None]:
    """Show the progress of a run on standard error, or below a cell of a notebook.

    On a terminal, the steps that run are drawn at its bottom, below what they print. In
    a pipe, in a file and in CI, there is a line for each step that has ended.

    Args:
        context: Describes the run; it has recorded nothing yet.
        is_told: Whether to show how it has ended; if not, the caller does.
    """
    run = RunProgress(context)
    context.subscribe(run)
    if (screen := _screen()) is None:
        lines = Lines(run, real_stream("stderr"))
        context.subscribe(lines)
        try:
            yield
        finally:
            if is_told and run.status:
                lines.end()
        return
    with _LOCK:
        if not _OPEN:
            _OPEN.append(Display(screen))
        display = _OPEN[0]
        display.add(run)
    try:
        yield
    finally:
        with _LOCK:
            if not display.remove(run, is_told=is_told and bool(run.status)):
                _OPEN.remove(display)


def _screen() -> Screen | None:
    """Return what can be drawn on again; None if there is nothing."""
    if _is_notebook():
        from runnable.progress.notebook import Notebook

        return Notebook()
    stream = real_stream("stderr")
    if not _is_terminal(stream):
        return None
    from runnable.progress.terminal import Terminal

    return Terminal(stream)


def _is_notebook() -> bool:
    """Return whether this is the kernel of a notebook."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and hasattr(shell, "kernel")


def _is_terminal(stream: TextIO) -> bool:
    environment = real_environment()
    is_dumb = environment.get("TERM", "") in {"dumb", "unknown", ""}
    is_ci = environment.get("CI", "").lower() not in {"", "0", "false"}
    with contextlib.suppress(ValueError):  # it is closed
        return stream.isatty() and not is_dumb and not is_ci
    return False
