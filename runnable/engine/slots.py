"""Wait for slots of limiters, in a thread or on an event loop."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TypeVar

from runnable.concurrency import Limiter, MachineLimiter, Wants
from runnable.engine.runtimes import Runtime

T = TypeVar("T")


async def with_slots(
    limiters: Sequence[Limiter],
    wants: Wants,
    runtime: Runtime,
    action: Callable[[], Awaitable[T]],
    abandoned: Sequence["Future[object]"] = (),
) -> T:
    """Do something while holding slots.

    Args:
        limiters: Grant them, one after the other.
        wants: How many, by name.
        runtime: How to wait for them.
        action: What is done.
        abandoned: Calls that the action has left to end by themselves: the slots are
            released when they have ended.

    Returns:
        What it returns.

    Raises:
        EngineBusyError: If there is none, and callers do not wait.
    """
    with ExitStack() as held:
        for it, part in _parts(limiters, wants):
            await _take(it, part, runtime, held)
        try:
            return await action()
        finally:
            if abandoned:
                later = held.pop_all()
                abandoned[-1].add_done_callback(lambda _: later.close())


def _parts(
    limiters: Sequence[Limiter], wants: Wants
) -> Iterator[tuple[Limiter | MachineLimiter, Wants]]:
    """Yield who grants which of the slots."""
    left = {**wants}
    for it in limiters:
        if part := it.part_of(left):
            yield it, part
        if it.of_machine is not None and (part := it.of_machine.part_of(part)):
            yield it.of_machine, part


async def _take(
    limiter: Limiter | MachineLimiter, wants: Wants, runtime: Runtime, held: ExitStack
) -> None:
    slot = limiter.acquire(wants)
    if slot is not None:
        try:
            await runtime.wait_for(slot)
        except BaseException:
            limiter.give_up(slot, wants)
            raise
    held.callback(limiter.release, wants)
