"""Call functions where we are: for synchronous runs."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, TypeVar

from runnable.concurrency import Threads
from runnable.context import propagate
from runnable.engine.errors import StepTimeoutError
from runnable.engine.runtimes.awaiting import (
    abandon,
    gives_awaitable,
    make,
    must_wait,
)
from runnable.engine.runtimes.base import GRACE_SECONDS, BranchBody
from runnable.engine.runtimes.crew import (
    PIECE_SECONDS,
    Crew,
    run_apart,
    wait_for_all,
)
from runnable.engine.runtimes.interruptible_call import (
    CallInterrupted,
    RunningCall,
    RunningCalls,
)
from runnable.tasks import Call
from runnable.tasks.errors import CommandCallError

T = TypeVar("T")


class InlineRuntime:
    """Calls functions in the thread that runs the step; nothing is ever suspended.

    Branches overlap in threads: the thread that comes to a step with branches pulls
    them, and so do helpers from the pool, if there are any to be had; so no branch ever
    waits for a thread that waits for it.

    Args:
        threads: The pool.
    """

    def __init__(self, threads: Threads | None = None) -> None:
        self.threads = threads or Threads()
        """The pool of helper threads."""
        self._home = threading.get_ident()
        self._calls = RunningCalls()

    async def invoke(self, call: Call, timeout_seconds: float | None = None) -> object:
        """Call the function here; in a thread, if it must be ended in time.

        What has to be awaited is run to its end on a loop of its own: the caller's
        thread may be running one already.
        """
        at_home = threading.get_ident() == self._home
        abandonable = call.abandoned is not None and not gives_awaitable(call)
        try:
            if abandonable:
                result = self._abandonable(call, timeout_seconds)
            elif timeout_seconds is not None or (at_home and gives_awaitable(call)):
                return self._in_thread(call, timeout_seconds)
            else:
                result = RunningCall(call, self._calls, waits=not at_home).run()
            if (abandonable or at_home) and must_wait(result):
                return self._in_thread(call._replace(function=_returning(result)), None)
        except asyncio.CancelledError as error:
            # A synchronous run is interrupted otherwise.
            problem = "something that it awaited was cancelled"
            raise CommandCallError(problem) from error
        return result

    def _abandonable(self, call: Call, timeout_seconds: float | None) -> object:
        """Make a call in a thread of the pool; stop waiting for it when it must end."""
        future = self.threads.submit(propagate(lambda: make(call)), urgent=True)
        try:
            self._wait_until_stopped(future, timeout_seconds)
        except BaseException:
            abandon(future, call)
            raise
        return future.result()

    def _wait_until_stopped(
        self, future: Future[object], timeout_seconds: float | None
    ) -> None:
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        either: list[Future[Any]] = [future, self._calls.cancelled]
        while not future.done():
            left = PIECE_SECONDS if end is None else end - time.monotonic()
            if timeout_seconds is not None and left <= 0:
                raise StepTimeoutError(timeout_seconds, abandoned=True)
            wait(either, min(left, PIECE_SECONDS), FIRST_COMPLETED)
            if self._calls.cancelled.done() and not future.done():
                raise CallInterrupted("its thread was left to end by itself")

    def _in_thread(self, call: Call, timeout_seconds: float | None) -> object:
        """Make a call in a thread of the pool."""
        running = RunningCall(call, self._calls)
        future = self.threads.submit(propagate(running.run), urgent=True)
        try:
            in_time = wait_for_all([future], timeout_seconds)
        except BaseException:
            _end(future, running)
            raise
        if not in_time:
            _end(future, running)
            assert timeout_seconds is not None  # noqa: S101 - else it would have waited
            raise StepTimeoutError(timeout_seconds)
        return future.result()

    async def off_loop(self, function: Callable[[], T]) -> T:
        """Call the function here: there is no loop."""
        return function()

    async def wait_for(self, future: Future[None]) -> None:
        """Wait in this thread."""
        while not future.done():
            wait((future, self._calls.cancelled), PIECE_SECONDS, FIRST_COMPLETED)
            if self._calls.cancelled.done():
                raise CallInterrupted

    async def gather(self, branches: AsyncIterator[BranchBody], limit: int) -> None:
        """Run branches, one after the other or in threads."""
        if limit == 1:
            async for branch in branches:
                run_apart(branch)
            return
        crew = Crew(branches, limit, self.threads)
        try:
            crew.work()
            crew.finish(None)
        except BaseException as error:
            crew.stop()
            self.cancel()
            crew.finish(GRACE_SECONDS)
            if isinstance(error, CallInterrupted):
                crew.fail()
            raise

    def cancel(self) -> None:
        """End the functions that are running, and call no more; from any thread."""
        self._calls.cancel()


def _returning(result: object) -> Callable[..., object]:
    """Return a function that returns a result, whatever it is called with."""

    def function(*args: object, **kwargs: object) -> object:
        del args, kwargs
        return result

    return function


def _end(future: Future[object], running: RunningCall) -> None:
    """End a call, and wait for that, but not for ever."""
    if not future.cancel():
        running.interrupt()
        wait_for_all([future], GRACE_SECONDS)
