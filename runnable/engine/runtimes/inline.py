"""Call functions where we are: for synchronous runs."""

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any, TypeVar

from runnable.context import ContextThreadPool
from runnable.tasks import Call

T = TypeVar("T")


class InlineRuntime:
    """Calls functions in the calling thread; nothing is ever suspended."""

    async def invoke(self, call: Call) -> object:
        """Call the function; run a coroutine to its end on a loop of its own."""
        result = call.function(*call.args, **call.kwargs)
        return _run_to_end(result) if inspect.iscoroutine(result) else result


def _run_to_end(coroutine: Coroutine[Any, Any, object]) -> object:
    # A thread of its own, because the caller's may be running a loop already.
    with ContextThreadPool(max_workers=1) as pool:
        return pool.submit(_run_on_own_loop, coroutine).result()


def _run_on_own_loop(coroutine: Coroutine[Any, Any, object]) -> object:
    with asyncio.Runner() as runner:
        return runner.run(coroutine)


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
