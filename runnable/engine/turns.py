"""Wait for one's turn, in a thread or on a loop."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from runnable.engine.runtimes import Runtime
from runnable.runs import Limiter

T = TypeVar("T")


async def in_turn(
    turns: Limiter, runtime: Runtime, go_on: Callable[[], Awaitable[T]]
) -> T:
    """Do something when there is room for it.

    Args:
        turns: Says when.
        runtime: How it is waited for.
        go_on: What is done.

    Returns:
        What it returns.

    Raises:
        EngineBusyError: If there is no room, and nobody waits.
    """
    place = turns.acquire()
    if place is not None:
        try:
            await runtime.wait_for(place)
        except BaseException:
            turns.give_up(place)
            raise
    try:
        return await go_on()
    finally:
        turns.release()
