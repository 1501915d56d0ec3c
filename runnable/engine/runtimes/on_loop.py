"""Call functions from an event loop: for asynchronous runs."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future

from runnable.context import propagate
from runnable.engine.runtimes.base import GRACE_SECONDS, BranchBody
from runnable.engine.runtimes.calls import RunningCall
from runnable.engine.runtimes.results import gives_awaitable, make, wait_for
from runnable.exceptions import StepTimeoutError
from runnable.tasks import Call
from runnable.threads import Threads


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
        if timeout_seconds is None:
            if gives_awaitable(call):
                return await wait_for(make(call), call)
            return await self._in_thread(call)
        limit = asyncio.timeout(timeout_seconds)
        try:
            async with limit:
                return await self.invoke(call)
        except TimeoutError:
            if limit.expired():
                raise StepTimeoutError(timeout_seconds) from None
            raise

    async def _in_thread(self, call: Call) -> object:
        running = RunningCall(call, waits=False)
        future = self._threads.submit(propagate(running.run))
        result = await _result(future, running)
        return await wait_for(result, call)

    async def gather(self, branches: Iterator[BranchBody], limit: int) -> None:
        """Run branches, one after the other or as asyncio tasks."""
        if limit == 1:
            for branch in branches:
                await branch()
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


async def _result(future: "Future[object]", running: RunningCall) -> object:
    """Wait for what a thread makes; if nobody wants it any more, end it."""
    waiting = asyncio.wrap_future(future)
    try:
        await asyncio.wait({waiting})
    except asyncio.CancelledError:
        if not future.cancel():
            running.interrupt()
            await asyncio.wait({waiting}, timeout=GRACE_SECONDS)
        if waiting.done() and not waiting.cancelled():
            waiting.exception()  # it is known, and of no interest any more
        raise
    return waiting.result()
