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

from runnable.capture import active_run, real_environment, real_stream
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


class _Patient:
    """A screen that may go away, such as a terminal whose window is closed.

    Args:
        screen: The screen.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self.seconds_between = screen.seconds_between

    def open(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._screen.open()

    def draw(self, runs: Sequence[RunProgress]) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._screen.draw(runs)

    def end(self, run: RunProgress) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._screen.end(run)

    def close(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._screen.close()


class Display:
    """A screen, and the runs that are shown on it.

    Args:
        screen: Where it draws.
    """

    def __init__(self, screen: Screen) -> None:
        self._screen = _Patient(screen)
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
                args = (self._draw_until_removed,)
                self._thread = threading.Thread(target=target, args=args, daemon=True)
                self._thread.start()
            self._runs.append(run)

    def remove(self, run: RunProgress, *, shows_end: bool) -> bool:
        """Show a run no more.

        Args:
            run: The run.
            shows_end: Whether to show how it has ended.

        Returns:
            Whether another one is shown.
        """
        with self._changed:
            self._runs.remove(run)
            if shows_end:
                self._screen.end(run)
            if self._runs:
                return True
            thread, self._thread = self._thread, None
            self._changed.notify_all()
        if thread is not None:
            thread.join()
        self._screen.close()
        return False

    def _draw_until_removed(self) -> None:
        with self._changed:
            while self._thread is threading.current_thread():
                self._screen.draw(tuple(self._runs))
                self._changed.wait(self._screen.seconds_between)


_LOCK = threading.Lock()
_OPEN: list[Display] = []
"""The display of this process, while runs are shown."""


@contextlib.contextmanager
def shown(context: RunContext, *, shows_end: bool = True) -> Generator[None]:
    """Show the progress of a run on standard error, or below a cell of a notebook.

    On a terminal, the steps that run are drawn at its bottom, below what they print. In
    a pipe, in a file and in CI, there is a line for each step that has ended.

    Args:
        context: Describes the run; it has recorded nothing yet.
        shows_end: Whether to show how it has ended; if not, the caller does.
    """
    run = RunProgress(context)
    context.subscribe(run)
    if (screen := _screen()) is not None:
        # Streams are routed for as long as something is drawn.
        with active_run(), _drawn(run, screen, shows_end=shows_end):
            yield
        return
    lines = Lines(run, real_stream("stderr"))
    context.subscribe(lines)
    try:
        yield
    finally:
        if shows_end and run.status:
            lines.end()


@contextlib.contextmanager
def _drawn(run: RunProgress, screen: Screen, *, shows_end: bool) -> Generator[None]:
    """Draw a run on the display of this process; the first one opens it."""
    with _LOCK:
        if not _OPEN:
            _OPEN.append(Display(screen))
        display = _OPEN[0]
        display.add(run)
    try:
        yield
    finally:
        with _LOCK:
            if not display.remove(run, shows_end=shows_end and bool(run.status)):
                _OPEN.remove(display)


def _screen() -> Screen | None:
    """Return what can be drawn on again; None if there is nothing."""
    if _is_notebook():
        from runnable.progress.notebook import Notebook

        return Notebook()
    stream = real_stream("stderr")
    if stream is None or not _is_terminal(stream):
        return None
    from runnable.progress.terminal import Terminal

    return Terminal(stream)


def _is_notebook() -> bool:
    """Return whether this is the kernel of a notebook."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell is not None and hasattr(shell, "kernel")


def _is_terminal(stream: TextIO | None) -> bool:
    environment = real_environment()
    is_dumb = environment.get("TERM", "") in {"dumb", "unknown", ""}
    is_ci = environment.get("CI", "").lower() not in {"", "0", "false"}
    with contextlib.suppress(ValueError):  # it is closed
        is_tty = bool(getattr(stream, "isatty", bool)())
        return is_tty and not is_dumb and not is_ci
    return False
