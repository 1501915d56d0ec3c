"""A pool of threads: few, kept for a moment when idle, and then ended."""

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import NamedTuple


class _Job(NamedTuple):
    function: Callable[[], object]
    future: "Future[object]"


class Threads:
    """A pool of threads that are started when needed and end when they are not.

    One pool serves all runs of a container, so that a thousand runs do not start a
    thousand threads. Unlike `ThreadPoolExecutor`, it leaves none behind: a thread that
    has nothing to do for a while ends, and none keeps the interpreter from its end. And
    it cannot come to a standstill: who would wait in a thread of the pool for another
    one gets it, beyond the limit.

    Args:
        limit: How many there are; further jobs wait, unless they are urgent.
        idle_seconds: How long a thread waits for another job.
        is_daemon: Whether the program may end before a job has.

    Example:
        >>> Threads().submit(lambda: 6 * 7).result()
        42
    """

    def __init__(
        self, limit: int = 128, idle_seconds: float = 2.0, *, is_daemon: bool = True
    ) -> None:
        self._limit = limit
        self._is_daemon = is_daemon
        self._idle_seconds = idle_seconds
        self._begin()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._count = 0
        self._idle = 0
        self._own: set[int] = set()
        """The threads of the pool, by ident."""

    def submit(
        self, function: Callable[[], object], *, urgent: bool | None = None
    ) -> "Future[object]":
        """Have a function called in a thread, in an empty context.

        Args:
            function: Called once, unless the future is cancelled before it begins.
            urgent: Whether a thread is started for it if none is free, also beyond the
                limit: because somebody who holds a thread waits for it. If None, it is
                urgent when this is called in a thread of the pool.

        Returns:
            The future of its result.
        """
        if self._process != os.getpid():
            self._begin()  # a fork has copied this pool, and none of its threads
        job = _Job(function, Future())
        with self._changed:
            if urgent is None:
                urgent = threading.get_ident() in self._own
            # An urgent job goes first, so that the thread started for it finds it.
            (self._jobs.appendleft if urgent else self._jobs.append)(job)
            if len(self._jobs) <= self._idle:
                self._changed.notify()
            elif urgent or self._count < self._limit:
                self._start(job, urgent=urgent)
        return job.future

    def _start(self, job: _Job, *, urgent: bool) -> None:
        self._count += 1
        try:
            threading.Thread(
                target=self._work, name="runnable worker", daemon=self._is_daemon
            ).start()
        except RuntimeError:
            # The machine has no more threads; those there are may do it later.
            self._count -= 1
            if urgent or not self._count:
                self._jobs.remove(job)
                raise

    def _work(self) -> None:
        self._own.add(threading.get_ident())
        job = self._next()
        while job:
            if job.future.set_running_or_notify_cancel():
                try:
                    job.future.set_result(job.function())
                except BaseException as error:  # noqa: BLE001 - raised by who waits
                    job.future.set_exception(error)
            del job  # while this thread waits for another one, it keeps nothing
            job = None if self._is_surplus() else self._next()
        self._own.discard(threading.get_ident())

    def _is_surplus(self) -> bool:
        with self._changed:
            surplus = self._count > self._limit
            self._count -= surplus
            return surplus

    def _next(self) -> _Job | None:
        with self._changed:
            if not self._jobs:
                self._idle += 1
                self._changed.wait_for(lambda: self._jobs, self._idle_seconds)
                self._idle -= 1
            if self._jobs:
                return self._jobs.popleft()
            self._count -= 1
            return None


def call_later(seconds: float, function: Callable[..., object], *args: object) -> None:
    """Call a function after a while, in a daemon thread.

    Args:
        seconds: How long that is.
        function: Such as what ends a process that was asked to end, and has not.
        args: Its arguments.
    """
    timer = threading.Timer(seconds, function, args)
    timer.daemon = True
    timer.start()
