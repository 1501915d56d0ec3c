"""What a call gives, made safe to hand through coroutines."""

import contextlib
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
        return _exhaust(result, call) if inspect.isgenerator(result) else result
    except StopIteration as error:
        raise RuntimeError("the function raised StopIteration") from error


def _exhaust(generator: Generator[Any, Any, Any], call: Call) -> object:
    on_item = call.on_item or _ignore
    while True:
        try:
            item = next(generator)
        except StopIteration as end:
            return end.value
        on_item(item)


def _ignore(item: object) -> None:
    """Take an item that nobody wants."""


async def wait_for(result: object, call: Call) -> object:
    """Wait for what a call gave, if there is anything to wait for.

    Args:
        result: An awaitable, an asynchronous generator, or a plain value.
        call: The call that gave it.

    Returns:
        What it comes to; None for an asynchronous generator, which returns nothing.
    """
    on_item = call.on_item or _ignore
    if inspect.isasyncgen(result):
        # Closed also when what is done with an item fails, or nobody waits any more.
        async with contextlib.aclosing(result) as items:
            async for item in items:
                on_item(item)
        return None
    return await result if inspect.isawaitable(result) else result


def must_wait(result: object) -> bool:
    """Tell whether a result has to be waited for."""
    return inspect.isawaitable(result) or inspect.isasyncgen(result)


def gives_awaitable(call: Call) -> bool:
    """Tell, before it is made, whether a call gives something to wait for."""
    function = call.function
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
