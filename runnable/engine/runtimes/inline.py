"""Call functions where we are: for synchronous runs."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from runnable.context import ContextThreadPool
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
    started: Future[Callable[[], object]] = Future()
    with ContextThreadPool(max_workers=1) as pool:
        finished = pool.submit(_run_on_own_loop, result, started)
        try:
            return finished.result()
        except BaseException:
            # Interrupted while waiting: end the coroutine, and wait for that.
            if not finished.done():
                started.result()()
            raise


def _run_on_own_loop(result: object, started: Future[Callable[[], object]]) -> object:
    async def wait() -> object:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        cancel = task.cancel if task is not None else loop.stop
        started.set_result(lambda: loop.call_soon_threadsafe(cancel))
        return await wait_for(result)

    with asyncio.Runner() as runner:
        return runner.run(wait())


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
