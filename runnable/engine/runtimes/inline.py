"""Call functions where we are: for synchronous runs."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from runnable.context import propagate
from runnable.engine.runtimes.results import make, must_wait, wait_for
from runnable.tasks import Call

T = TypeVar("T")


class InlineRuntime:
    """Calls functions in the calling thread; nothing is ever suspended."""

    async def invoke(self, call: Call) -> object:
        """Call the function; run a coroutine to its end on a loop of its own."""
        result = make(call)
        return _run_to_end(result) if must_wait(result) else result


def _run_to_end(result: object) -> object:
    # A thread of its own, because the caller's may be running a loop already.
    running = _OnOwnLoop(result)
    thread = threading.Thread(target=propagate(running.run), name="runnable loop")
    try:
        # Not join(): interrupted once, it takes the thread for ended from then on.
        thread.start()
        running.over.wait()
    except BaseException:
        # Interrupted: end the coroutine, wherever it is, and wait for that.
        running.cancel()
        # The interrupt may have come while the thread was being started.
        if running.begun.wait(timeout=1):
            running.over.wait()
        raise
    return running.outcome.result()


class _OnOwnLoop:
    """Waits for a result on a loop of its own, until it comes or is not wanted."""

    def __init__(self, result: object) -> None:
        self.outcome: Future[object] = Future()
        self.begun = threading.Event()
        self.over = threading.Event()
        self._result = result
        self._cancelled = False
        self._cancel: Callable[[], object] | None = None

    def run(self) -> None:
        """Wait, in the thread that calls this."""
        self.begun.set()
        try:
            with asyncio.Runner() as runner:
                self.outcome.set_result(runner.run(self._wait()))
        except BaseException as error:  # noqa: BLE001 - raised again by the caller
            self.outcome.set_exception(error)
        finally:
            self.over.set()

    async def _wait(self) -> object:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        if task is not None:
            self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
            if self._cancelled:
                task.cancel()
        return await wait_for(self._result)

    def cancel(self) -> None:
        """Stop waiting; may be called from any thread, before or after the start."""
        self._cancelled = True
        if self._cancel is not None:
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                self._cancel()


def run_by_hand(coroutine: Coroutine[Any, Any, T]) -> T:
    """Step a coroutine to its end without an event loop.

    Args:
        coroutine: One that never suspends, such as a run with `InlineRuntime`.

    Returns:
        What the coroutine returns.

    Raises:
        RuntimeError: If it does suspend.

    Example:
        >>> async def answer() -> int:
        ...     return 42
        >>> run_by_hand(answer())
        42
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    msg = "a synchronous run was suspended; use execute_async() to await something"
    raise RuntimeError(msg)
