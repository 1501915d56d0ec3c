"""Call functions from an event loop: for asynchronous runs."""

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from runnable.concurrency import Threads
from runnable.context import propagate
from runnable.engine.errors import StepTimeoutError
from runnable.engine.runtimes.awaiting import (
    abandon,
    gives_awaitable,
    make,
    wait_for,
)
from runnable.engine.runtimes.base import GRACE_SECONDS, BranchBody
from runnable.engine.runtimes.interruptible_call import RunningCall
from runnable.tasks import Call
from runnable.tasks.errors import CommandCallError

T = TypeVar("T")


class LoopRuntime:
    """Awaits coroutine functions; calls others in a thread, so the loop stays free.

    Branches overlap as asyncio tasks.

    Args:
        threads: Where functions that are no coroutines are called.
        io_threads: Where services are waited for, whatever functions are doing.
    """

    def __init__(self, threads: Threads, io_threads: Threads) -> None:
        self._threads, self._io_threads = threads, io_threads
        # Most runs start none.
        self._tasks: weakref.WeakSet[asyncio.Task[Any]] | None = None

    @property
    def tasks(self) -> list["asyncio.Task[Any]"]:
        """The tasks that it has started, and that have not ended."""
        return [task for task in self._tasks or () if not task.done()]

    def _noted(self, task: "asyncio.Task[T]") -> "asyncio.Task[T]":
        if self._tasks is None:
            self._tasks = weakref.WeakSet()
        self._tasks.add(task)
        return task

    async def invoke(self, call: Call, timeout_seconds: float | None = None) -> object:
        """Await the function, or call it in a thread."""
        try:
            if timeout_seconds is None:
                return await self._made(call)
            # At once: its time does not begin when a thread is free.
            made = asyncio.create_task(self._made(call, urgent=True))
            return await _in_time(self._noted(made), timeout_seconds, call)
        except asyncio.CancelledError as error:
            current = asyncio.current_task()
            if current is None or current.cancelling():
                raise
            # The run was not cancelled: this comes from something the function awaited.
            problem = "something that it awaited was cancelled"
            raise CommandCallError(problem) from error

    async def _made(self, call: Call, *, urgent: bool | None = None) -> object:
        if gives_awaitable(call):
            return await wait_for(make(call), call)
        return await self._in_thread(call, urgent=urgent)

    async def _in_thread(self, call: Call, *, urgent: bool | None) -> object:
        running = RunningCall(call, waits=False)
        future = self._threads.submit(propagate(running.run), urgent=urgent)
        waiting = asyncio.wrap_future(future)
        try:
            await asyncio.wait({waiting})
        except GeneratorExit:
            # The loop was closed: nobody waits for the end of the call.
            if call.abandoned is None and not future.cancel():
                running.interrupt()
            raise
        except asyncio.CancelledError:
            if call.abandoned is not None:
                abandon(future, call)
                _forget(waiting)
            elif not future.cancel():
                running.interrupt()
                await _wait_a_while(waiting)
            raise
        return await wait_for(waiting.result(), call)

    async def off_loop(self, function: Callable[[], T]) -> T:
        """Call the function in a thread; a run that ends waits for it a while."""
        future = self._io_threads.submit(propagate(function))
        waiting = asyncio.wrap_future(future)
        try:
            await asyncio.wait({waiting})
        except asyncio.CancelledError as cancelled:
            await _wait_a_while(waiting)
            if waiting.done() and (problem := waiting.exception()):
                cancelled.add_note(f"meanwhile: {type(problem).__name__}: {problem}")
            raise
        return cast("T", waiting.result())

    async def wait_for(self, future: Future[None]) -> None:
        """Wait on the loop; the future is left as it is if the wait is cancelled."""
        await asyncio.shield(asyncio.wrap_future(future))

    async def gather(self, branches: AsyncIterator[BranchBody], limit: int) -> None:
        """Run branches, one after the other or as asyncio tasks."""
        if limit == 1:
            async for branch in branches:
                # A task: a branch keeps what it sets in contexts to itself.
                await self._noted(asyncio.create_task(branch()))
            return
        room = asyncio.Semaphore(limit)
        try:
            async with asyncio.TaskGroup() as group:
                await room.acquire()
                async for branch in branches:
                    task = self._noted(group.create_task(branch()))
                    task.add_done_callback(lambda _: room.release())
                    await room.acquire()
        except BaseExceptionGroup as errors:
            # Branches report how they ended; one that raises has an internal error.
            raise errors.exceptions[0] from None


async def _in_time(task: "asyncio.Task[object]", seconds: float, call: Call) -> object:
    """Wait for something, but not longer than it may take."""
    # Not asyncio.timeout(): what does not care that it is cancelled is not in time.
    try:
        await asyncio.wait({task}, timeout=seconds)
        if task.done():
            return task.result()
    finally:
        if not task.done():
            task.cancel()
            await _wait_a_while(task)
    in_thread = call.abandoned is not None and not gives_awaitable(call)
    raise StepTimeoutError(seconds, in_thread)


async def _wait_a_while(future: "asyncio.Future[Any]") -> None:
    """Wait for a cancelled task; re-raise a cancellation received meanwhile."""
    loop, cancelled = asyncio.get_running_loop(), None
    until = loop.time() + GRACE_SECONDS
    while not future.done() and (left := until - loop.time()) > 0:
        try:
            await asyncio.wait({future}, timeout=left)
        except asyncio.CancelledError as error:
            cancelled = error
    _forget(future)
    if cancelled is not None:
        raise cancelled


def _forget(future: "asyncio.Future[object]") -> None:
    """Retrieve the outcome of a future that is not awaited any more."""
    if not future.done():
        future.add_done_callback(_forget)
    elif not future.cancelled():
        future.exception()
