"""Results of calls, made safe to pass through coroutines."""

import contextlib
import inspect
from collections.abc import AsyncGenerator, Generator
from concurrent.futures import Future
from typing import Any

from runnable.tasks import Call


def make(call: Call) -> object:
    """Make a call; run a generator to its end.

    Args:
        call: The call.

    Returns:
        What the function returned; for a generator, the value of its `return`.

    Raises:
        RuntimeError: If the function raised StopIteration, which means something else
            to the coroutine that waits for it; that is its cause.
    """
    try:
        result = call.function(*call.args, **call.kwargs)
        return _exhaust(result, call) if inspect.isgenerator(result) else result
    except StopIteration as error:
        raise RuntimeError("the function raised StopIteration") from error


def abandon(future: "Future[object]", call: Call) -> None:
    """Leave a call in a thread to end by itself; one that has not started never does.

    Args:
        future: Of the call.
        call: Is notified, so that its place is kept until it has ended.
    """
    if not future.cancel() and call.abandoned is not None:
        call.abandoned(future)


def _exhaust(generator: Generator[Any, Any, Any], call: Call) -> object:
    items = _Nobody() if call.items is None else call.items
    items.begin()
    while True:
        try:
            item = next(generator)
        except StopIteration as end:
            return end.value
        pause = items.take(item)
        if pause is not None:
            pause.wait()


class _Nobody:
    """Drops the items of a generator."""

    def begin(self) -> None:
        """Take no note."""

    def take(self, item: object) -> None:
        """Take none."""


async def wait_for(result: object, call: Call) -> object:
    """Wait for what a call gave, if there is anything to wait for.

    Args:
        result: An awaitable, an asynchronous generator, or a plain value.
        call: The call that gave it.

    Returns:
        What it comes to; None for an asynchronous generator, which returns nothing.
    """
    if inspect.isasyncgen(result):
        await _exhaust_async(result, call)
        return None
    return await result if inspect.isawaitable(result) else result


async def _exhaust_async(generator: AsyncGenerator[Any, Any], call: Call) -> None:
    items = _Nobody() if call.items is None else call.items
    items.begin()
    # Closed also when handling an item fails, or the caller is cancelled.
    async with contextlib.aclosing(generator):
        async for item in generator:
            pause = items.take(item)
            if pause is not None:
                await pause


def must_wait(result: object) -> bool:
    """Return True if a result has to be waited for."""
    return inspect.isawaitable(result) or inspect.isasyncgen(result)


def gives_awaitable(call: Call) -> bool:
    """Tell, before it is made, whether a call gives something to wait for."""
    function = call.function
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
