"""Call functions from an event loop: for asynchronous runs."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from runnable.context import propagate
from runnable.engine.runtimes.base import GRACE_SECONDS, BranchBody
from runnable.engine.runtimes.calls import RunningCall
from runnable.engine.runtimes.results import gives_awaitable, make, wait_for
from runnable.exceptions import CommandCallError, StepTimeoutError
from runnable.tasks import Call
from runnable.threads import Threads

T = TypeVar("T")


class LoopRuntime:
    """Awaits coroutine functions; calls others in a thread, so the loop goes on.

    Branches overlap as asyncio tasks.

    Args:
        threads: Where functions that are no coroutines are called.
    """

    def __init__(self, threads: Threads | None = None) -> None:
        self._threads = threads or Threads()

    async def invoke(self, call: Call, timeout_seconds: float | None = None) -> object:
        """Await the function, or call it in a thread."""
        try:
            if timeout_seconds is not None:
                return await _in_time(self._in_thread_or_here(call), timeout_seconds)
            if gives_awaitable(call):
                return await wait_for(make(call), call)
            return await self._in_thread(call)
        except asyncio.CancelledError as error:
            current = asyncio.current_task()
            if current is None or current.cancelling():
                raise
            # Nobody cancels this run: it comes from what the function has awaited.
            problem = "something that it awaited was cancelled"
            raise CommandCallError(problem) from error

    async def _in_thread_or_here(self, call: Call) -> object:
        if gives_awaitable(call):
            return await wait_for(make(call), call)
        # At once: its time does not begin when a thread is free.
        return await self._in_thread(call, urgent=True)

    async def _in_thread(self, call: Call, *, urgent: bool | None = None) -> object:
        running = RunningCall(call, waits=False)
        future = self._threads.submit(propagate(running.run), urgent=urgent)
        waiting = asyncio.wrap_future(future)
        try:
            await asyncio.wait({waiting})
        except asyncio.CancelledError:
            if not future.cancel():
                running.interrupt()
                await asyncio.wait({waiting}, timeout=GRACE_SECONDS)
            _forget(waiting)
            raise
        return await wait_for(waiting.result(), call)

    async def off_loop(self, function: Callable[[], T]) -> T:
        """Call the function in a thread; a run that ends waits for it a while."""
        result = await self.invoke(Call(function, stop=_let_it_finish))
        return cast("T", result)

    async def wait_for(self, future: Future[None]) -> None:
        """Wait on the loop; the future is left as it is if the wait is cancelled."""
        await asyncio.shield(asyncio.wrap_future(future))

    async def gather(self, branches: Iterator[BranchBody], limit: int) -> None:
        """Run branches, one after the other or as asyncio tasks."""
        if limit == 1:
            for branch in branches:
                # A task: a branch keeps what it sets in contexts to itself.
                await asyncio.create_task(branch())
            return
        room = asyncio.Semaphore(limit)
        try:
            async with asyncio.TaskGroup() as group:
                await room.acquire()
                for branch in branches:
                    task = group.create_task(branch())
                    task.add_done_callback(lambda _: room.release())
                    await room.acquire()
        except BaseExceptionGroup as errors:
            # Branches report how they ended; who raises cannot go on. One is enough.
            raise errors.exceptions[0] from None


async def _in_time(made: Coroutine[Any, Any, object], seconds: float) -> object:
    """Wait for something, but not longer than it may take."""
    # Not asyncio.timeout(): what does not care that it is cancelled is not in time.
    task = asyncio.create_task(made)
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=GRACE_SECONDS)
        _forget(task)
    raise StepTimeoutError(seconds)


def _let_it_finish() -> None:
    """End nothing."""


def _forget(future: "asyncio.Future[object]") -> None:
    """Take note of how something ended that nobody waits for any more."""
    if not future.done():
        future.add_done_callback(_forget)
    elif not future.cancelled():
        future.exception()
