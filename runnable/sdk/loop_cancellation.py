"""End a run on an event loop: when others ask for it, and when the loop is closed.

Theory of operation. A loop that is closed drops its tasks where they are: they never
continue, and nobody is told. But it also drops its timers; one of them belongs to the
runs on it, and its deletion ends them: their ends are recorded, and then their
coroutines are closed, so that they release what they hold.
"""

import asyncio
import logging
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from typing import Any

from runnable.engine import LoopRuntime
from runnable.engine.errors import ExecutionCancelledError
from runnable.scope import Run

logger = logging.getLogger(__name__)

_NEVER_SECONDS = 10 * 365 * 86400.0
_MOST_AWAITS = 100


class LoopCancellation:
    """Lets other threads cancel what this task does within a `with` block.

    Args:
        run: The run that the task executes.
        runtime: Its runtime, which knows its other tasks.
    """

    __slots__ = (
        "_before",
        "_loop",
        "_over",
        "_requested",
        "_run",
        "_runs",
        "_runtime",
        "_task",
    )

    def __init__(self, run: Run, runtime: LoopRuntime) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - it is awaited on a loop
        self._run, self._runtime = run, runtime
        self._task, self._loop = task, asyncio.get_running_loop()
        self._before = task.cancelling()
        self._requested = self._over = False

    def request(self) -> None:
        """Cancel it, from any thread."""
        with suppress(RuntimeError):  # its loop is closed: it is lost
            self._loop.call_soon_threadsafe(self._cancel)

    def is_lost(self) -> bool:
        """Return whether it can never end, since its loop is closed."""
        return self._loop.is_closed()

    def _cancel(self) -> None:
        if not (self._requested or self._over):
            self._requested = True
            self._task.cancel()

    def __enter__(self) -> None:
        self._runs = _runs_of(self._loop)
        self._runs.add(self)

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._over = True
        self._runs.remove(self)
        if not self._requested:
            return
        # If others have cancelled the task as well, such as an outer run, they win.
        others = self._task.uncancel() > self._before
        if kind is asyncio.CancelledError and not others:
            raise ExecutionCancelledError(self._run.context.run_id) from None

    def conclude(self) -> None:
        """Record that the run has ended."""
        if self._run.conclude is not None:
            self._run.conclude()

    def close(self) -> None:
        """Have the coroutines of the run leave their blocks."""
        for task in (*reversed(self._runtime.tasks), self._task):
            _close(task)


class _RunsOfLoop:
    """The runs on one event loop, and the timer that is deleted with it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._runs: dict[LoopCancellation, None] = {}
        timer = _Timer(self._end)
        # Weakly: only the loop keeps them.
        self._timer = weakref.ref(timer)
        self._handle = weakref.ref(loop.call_later(_NEVER_SECONDS, timer))
        self._loop = weakref.ref(loop)

    def add(self, run: LoopCancellation) -> None:
        """Take note of a run that starts."""
        self._runs[run] = None

    def remove(self, run: LoopCancellation) -> None:
        """Forget a run that has ended; the last one takes the timer with it."""
        self._runs.pop(run, None)
        loop, timer, handle = self._loop(), self._timer(), self._handle()
        if self._runs or loop is None or timer is None or handle is None:
            return
        del _LOOPS[loop]
        timer.on_deletion = None
        handle.cancel()

    def _end(self) -> None:
        runs = [run for run in self._runs if run.is_lost()]
        # First of all: a run that is nested in another one shares its coroutine.
        for run in reversed(runs):
            run.conclude()
        for run in runs:
            # What coroutines set in contexts on their way out is not for the caller.
            copy_context().run(run.close)


# Loops belong to the process; no value of a run is kept here.
_LOOPS: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _RunsOfLoop]" = (
    weakref.WeakKeyDictionary()
)


def _runs_of(loop: asyncio.AbstractEventLoop) -> _RunsOfLoop:
    runs = _LOOPS.get(loop)
    if runs is None:
        runs = _LOOPS[loop] = _RunsOfLoop(loop)
    return runs


class _Timer:
    """Calls a function when it is deleted, as with its event loop."""

    def __init__(self, on_deletion: Callable[[], object]) -> None:
        self.on_deletion: Callable[[], object] | None = on_deletion

    def __call__(self) -> None:
        """Do nothing, ten years later."""

    def __del__(self) -> None:
        if self.on_deletion is not None:
            self.on_deletion()


def _close(task: "asyncio.Task[Any]") -> None:
    """Have a coroutine that cannot continue leave its blocks."""
    coroutine = task.get_coro()
    for _ in range(_MOST_AWAITS):
        try:
            coroutine.close()
        except RuntimeError:
            continue  # it awaits something on its way out
        except Exception:
            logger.debug("A coroutine was closed with its event loop", exc_info=True)
        return
