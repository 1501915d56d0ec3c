"""Call functions where we are: for synchronous runs."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextvars import copy_context
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
from runnable.engine.runtimes.interruptible_call import (
    CallInterrupted,
    RunningCall,
    RunningCalls,
)
from runnable.tasks import Call
from runnable.tasks.errors import CommandCallError

T = TypeVar("T")

_PIECE_SECONDS = 0.25


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
            left = _PIECE_SECONDS if end is None else end - time.monotonic()
            if timeout_seconds is not None and left <= 0:
                raise StepTimeoutError(timeout_seconds, abandoned=True)
            wait(either, min(left, _PIECE_SECONDS), FIRST_COMPLETED)
            if self._calls.cancelled.done() and not future.done():
                raise CallInterrupted("its thread was left to end by itself")

    def _in_thread(self, call: Call, timeout_seconds: float | None) -> object:
        """Make a call in a thread of the pool."""
        running = RunningCall(call, self._calls)
        future = self.threads.submit(propagate(running.run), urgent=True)
        try:
            in_time = _wait([future], timeout_seconds)
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
            wait((future, self._calls.cancelled), _PIECE_SECONDS, FIRST_COMPLETED)
            if self._calls.cancelled.done():
                raise CallInterrupted

    async def gather(self, branches: AsyncIterator[BranchBody], limit: int) -> None:
        """Run branches, one after the other or in threads."""
        if limit == 1:
            async for branch in branches:
                _run_apart(branch)
            return
        crew = _Crew(branches, limit, self.threads)
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


class _Crew:
    """The threads that run the branches of one step, the caller's among them."""

    def __init__(
        self, branches: AsyncIterator[BranchBody], limit: int, threads: Threads
    ) -> None:
        self._branches = branches
        self._helpers_wanted = limit - 1
        self._threads = threads
        self._lock = threading.Lock()
        self._helpers: list[Future[object]] = []
        self._error: BaseException | None = None
        self._over = False
        self._help = propagate(self.work)

    def work(self) -> None:
        """Run branches as long as there are any."""
        try:
            while branch := self._next():
                _run_apart(branch)
        except BaseException as error:
            with self._lock:
                # A branch that was cancelled because another one failed is no cause.
                if self._error is None or isinstance(self._error, CallInterrupted):
                    self._error = error
            self.stop()
            raise

    def _next(self) -> BranchBody | None:
        with self._lock:
            if self._over:
                return None
            branch = run_by_hand(_next_of(self._branches))
            if branch is None:
                self._over = True
            elif len(self._helpers) < self._helpers_wanted:
                # One more for each branch: who has none to run is not called.
                self._helpers.append(self._threads.submit(self._help, urgent=False))
            return branch

    def stop(self) -> None:
        """Hand out no further branch."""
        self._over = True

    def finish(self, timeout_seconds: float | None) -> None:
        """Wait for the helper threads that have started; raise what a branch raised."""
        _wait([it for it in self._helpers if not it.cancel()], timeout_seconds)
        if timeout_seconds is None:
            self.fail()

    def fail(self) -> None:
        """Raise what a branch raised, if one did."""
        if self._error is not None:
            raise self._error


async def _next_of(branches: AsyncIterator[BranchBody]) -> BranchBody | None:
    return await anext(branches, None)


def _returning(result: object) -> Callable[..., object]:
    """Return a function that returns a result, whatever it is called with."""

    def function(*args: object, **kwargs: object) -> object:
        del args, kwargs
        return result

    return function


def _run_apart(branch: BranchBody) -> None:
    # A branch keeps what it sets in contexts to itself.
    copy_context().run(run_by_hand, branch())


def _wait(futures: Sequence[Future[Any]], timeout_seconds: float | None) -> bool:
    """Wait for all; return True if they ended in time."""
    # In short pieces: a signal that comes just before a thread waits does not wake it.
    end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        left = _PIECE_SECONDS if end is None else end - time.monotonic()
        if not wait(futures, max(0.0, min(left, _PIECE_SECONDS))).not_done:
            return True
        if left <= 0:
            return False


def _end(future: Future[object], running: RunningCall) -> None:
    """End a call, and wait for that, but not for ever."""
    if not future.cancel():
        running.interrupt()
        _wait([future], GRACE_SECONDS)


def run_by_hand(coroutine: Coroutine[Any, Any, T]) -> T:
    """Step a coroutine to its end without an event loop.

    Args:
        coroutine: One that never suspends, such as a run with `InlineRuntime`.

    Returns:
        What the coroutine returns.

    Raises:
        RuntimeError: If it does suspend.

    Example:
        >>> async def answer() -> int:
        ...     return 42
        >>> run_by_hand(answer())
        42
    """
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    msg = "a synchronous run was suspended; use execute_async() to await something"
    raise RuntimeError(msg)
