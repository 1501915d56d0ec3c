"""Wait for slots of limiters, in a thread or on an event loop."""

from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from functools import partial
from typing import TypeVar

from runnable.concurrency import ANY, Limiter, MachineLimiter, Wants
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
        machines: dict[MachineLimiter, tuple[dict[str, int], dict[str, int]]] = {}
        left = {**wants}
        for it in limiters:
            if part := it.part_of(left):
                await _take(it, part, runtime, held)
                _note(it, part, machines)
        # Last, all of a folder at once, and the same order everywhere: so nobody holds
        # slots of a machine while waiting for others.
        for machine in sorted(machines, key=lambda it: it.folder):
            await _take_of_machine(machine, *machines[machine], runtime, held)
        try:
            return await action()
        finally:
            if abandoned:
                later = held.pop_all()
                abandoned[-1].add_done_callback(lambda _: later.close())


def _note(
    limiter: Limiter,
    wants: Wants,
    machines: dict[MachineLimiter, tuple[dict[str, int], dict[str, int]]],
) -> None:
    """Note what has to be asked of other processes as well."""
    if limiter.of_machine is not None and (
        named := {name: it for name, it in wants.items() if name != ANY}
    ):
        noted, limits = machines.setdefault(limiter.of_machine, ({}, {}))
        noted.update(named)
        limits.update(limiter.limits)


async def _take(
    limiter: Limiter, wants: Wants, runtime: Runtime, held: ExitStack
) -> None:
    slot = limiter.acquire(wants)
    if slot is not None:
        try:
            await runtime.wait_for(slot)
        except BaseException:
            limiter.give_up(slot, wants)
            raise
    held.callback(limiter.release, wants)


async def _take_of_machine(
    machine: MachineLimiter,
    wants: Wants,
    limits: Wants,
    runtime: Runtime,
    held: ExitStack,
) -> None:
    ticket = machine.new_ticket()
    held.callback(machine.leave, ticket)
    # Another process may hold the lock for a while.
    slot = await runtime.off_loop(partial(machine.acquire, ticket, wants, limits))
    if slot is not None:
        await runtime.wait_for(slot)
