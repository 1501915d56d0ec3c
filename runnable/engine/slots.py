"""Wait for a place of a limiter, in a thread or on an event loop."""

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from runnable.concurrency import Limiter
from runnable.engine.runtimes import Runtime

T = TypeVar("T")


async def with_slot(
    limiter: Limiter,
    runtime: Runtime,
    action: Callable[[], Awaitable[T]],
    abandoned: Sequence["Future[object]"] = (),
) -> T:
    """Do something while holding a place of a limiter.

    Args:
        limiter: Grants places.
        runtime: How to wait for one.
        action: What is done.
        abandoned: Calls that the action has left to end by themselves: the place is
            released when they have ended.

    Returns:
        What it returns.

    Raises:
        EngineBusyError: If there is no place, and callers do not wait.
    """
    place = limiter.acquire()
    if place is not None:
        try:
            await runtime.wait_for(place)
        except BaseException:
            limiter.give_up(place)
            raise
    try:
        return await action()
    finally:
        if abandoned:
            abandoned[-1].add_done_callback(lambda _: limiter.release())
        else:
            limiter.release()
