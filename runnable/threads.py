"""Threads for whoever needs one: few, kept for a moment, and then gone."""

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
    has nothing to do for a while ends, and none keeps the interpreter from its end.

    Args:
        limit: How many there are at most; further jobs wait.
        idle_seconds: How long a thread waits for another job.

    Example:
        >>> Threads().submit(lambda: 6 * 7).result()
        42
    """

    def __init__(self, limit: int = 128, idle_seconds: float = 2.0) -> None:
        self._limit = limit
        self._idle_seconds = idle_seconds
        self._changed = threading.Condition()
        self._jobs: deque[_Job] = deque()
        self._count = 0
        self._idle = 0

    def submit(self, function: Callable[[], object]) -> "Future[object]":
        """Have a function called in a thread, in an empty context.

        Args:
            function: Called once, unless the future is cancelled before it begins.

        Returns:
            The future of its result.
        """
        job = _Job(function, Future())
        with self._changed:
            self._jobs.append(job)
            if len(self._jobs) <= self._idle:
                self._changed.notify()
            elif self._count < self._limit:
                self._count += 1
                threading.Thread(
                    target=self._work, name="runnable worker", daemon=True
                ).start()
        return job.future

    def _work(self) -> None:
        while job := self._next():
            if job.future.set_running_or_notify_cancel():
                try:
                    job.future.set_result(job.function())
                except BaseException as error:  # noqa: BLE001 - raised by who waits
                    job.future.set_exception(error)
            del job  # while this thread waits for another one, it keeps nothing

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
