"""The threads that run the branches of one step.

Theory of operation. The thread that comes to the step runs branches itself, and others
help it; each takes the next branch as soon as it is free. Python runs one thread at a
time: where branches are short and do nothing but compute, helpers would only take the
interpreter from each other, and all of it would take twice as long. So the first helper
watches for a moment before it takes a branch, and calls for the others only if branches
take longer than a moment, or wait for something.
"""

import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import Any, TypeVar

from runnable.concurrency import Threads
from runnable.context import propagate
from runnable.engine.runtimes.base import BranchBody
from runnable.engine.runtimes.interruptible_call import CallInterrupted

T = TypeVar("T")

PIECE_SECONDS = 0.25
"""A thread waits in pieces of this length, since a signal does not wake it."""
_SHORT_SECONDS = 0.001
"""Shorter branches have no helpers, if they compute all the time."""
_LONGEST_LOOK_SECONDS = 0.02
_SLOW_LOOKS = 2
"""So many times in a row branches may take longer while they compute."""
_BUSY = 0.6
"""The part of the time for which a thread that waits for nothing computes."""


class Crew:
    """The threads that run the branches of one step, the caller's among them.

    Args:
        branches: Makes them, one after the other.
        limit: How many threads there are at most.
        threads: The pool that helpers come from.
    """

    def __init__(
        self, branches: AsyncIterator[BranchBody], limit: int, threads: Threads
    ) -> None:
        self._branches = branches
        self._helpers_wanted = limit - 1
        self._threads = threads
        self._lock = threading.Lock()
        self._helpers: list[Future[object]] = []
        self._error: BaseException | None = None
        self._over = threading.Event()
        self._begun = 0
        """How many branches were taken."""
        self._needs_help = False
        self._computed_seconds = _clock_of_this_thread()
        self._help = propagate(self._join)

    def work(self) -> None:
        """Run branches as long as there are any."""
        try:
            while branch := self._next():
                run_apart(branch)
        except BaseException as error:
            with self._lock:
                # A branch that was cancelled because another one failed is no cause.
                if self._error is None or isinstance(self._error, CallInterrupted):
                    self._error = error
            self.stop()
            raise

    def _next(self) -> BranchBody | None:
        with self._lock:
            if self._over.is_set():
                return None
            branch = run_by_hand(_next_of(self._branches))
            if branch is None:
                self._over.set()
                return None
            self._begun += 1
            # One more for each branch: who has none to run is not called.
            wanted = self._helpers_wanted if self._needs_help else 1
            if len(self._helpers) < min(wanted, self._helpers_wanted):
                self._helpers.append(self._threads.submit(self._help, urgent=False))
            return branch

    def _join(self) -> None:
        """Help, as soon as it is worth it."""
        look_seconds, slow_looks = _SHORT_SECONDS, 0
        while not self._needs_help:
            quick, busy = self._watch(look_seconds)
            if self._over.is_set():
                return
            slow_looks = 0 if quick and busy else slow_looks + 1
            # Once may be the garbage collector's doing, if nothing was waited for.
            self._needs_help = slow_looks > (_SLOW_LOOKS if busy else 0)
            look_seconds = min(2 * look_seconds, _LONGEST_LOOK_SECONDS)
        self.work()

    def _watch(self, seconds: float) -> tuple[bool, bool]:
        """Return whether short branches follow each other, and compute all the time."""
        begun, computed = self._begun, self._computed_seconds()
        start = time.monotonic()
        self._over.wait(seconds)
        took = time.monotonic() - start
        quick = self._begun - begun > took / _SHORT_SECONDS
        return quick, self._computed_seconds() - computed > _BUSY * took

    def stop(self) -> None:
        """Hand out no further branch."""
        self._over.set()

    def finish(self, timeout_seconds: float | None) -> None:
        """Wait for the helper threads that have started; raise what a branch raised."""
        wait_for_all([it for it in self._helpers if not it.cancel()], timeout_seconds)
        if timeout_seconds is None:
            self.fail()

    def fail(self) -> None:
        """Raise what a branch raised, if one did."""
        if self._error is not None:
            raise self._error


def _clock_of_this_thread() -> Callable[[], float]:
    """Return what tells how long this thread has computed, in any other thread."""
    if sys.platform != "linux":
        return time.monotonic  # as if it did all the time
    clock = time.pthread_getcpuclockid(threading.get_ident())
    return lambda: time.clock_gettime(clock)


async def _next_of(branches: AsyncIterator[BranchBody]) -> BranchBody | None:
    return await anext(branches, None)


def run_apart(branch: BranchBody) -> None:
    """Run a branch, which keeps what it sets in contexts to itself."""
    copy_context().run(run_by_hand, branch())


def wait_for_all(futures: Sequence[Future[Any]], timeout_seconds: float | None) -> bool:
    """Wait for all; return True if they ended in time."""
    # In short pieces: a signal that comes just before a thread waits does not wake it.
    end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    while True:
        left = PIECE_SECONDS if end is None else end - time.monotonic()
        if not wait(futures, max(0.0, min(left, PIECE_SECONDS))).not_done:
            return True
        if left <= 0:
            return False


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
