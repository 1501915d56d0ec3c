"""What a call gives, made safe to hand through coroutines."""

import inspect
from collections.abc import Generator
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
        return _exhaust(result) if inspect.isgenerator(result) else result
    except StopIteration as error:
        raise RuntimeError("the function raised StopIteration") from error


def _exhaust(generator: Generator[Any, Any, Any]) -> object:
    while True:
        try:
            next(generator)
        except StopIteration as end:
            return end.value


async def wait_for(result: object) -> object:
    """Wait for what a call gave, if there is anything to wait for.

    Args:
        result: An awaitable, an asynchronous generator, or a plain value.

    Returns:
        What it comes to; None for an asynchronous generator, which returns nothing.
    """
    if inspect.isasyncgen(result):
        async for _ in result:
            pass
        return None
    return await result if inspect.isawaitable(result) else result


def must_wait(result: object) -> bool:
    """Tell whether a result has to be waited for."""
    return inspect.isawaitable(result) or inspect.isasyncgen(result)
