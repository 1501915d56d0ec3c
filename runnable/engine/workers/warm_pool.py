"""Worker processes that outlive a run, so that the next one need not start its own.

Theory of operation. Starting a worker takes a third of a second, mostly for imports.
A run gives its idle workers back to the pool of its container; the next run takes one,
which first gets the import path, the environment and the working directory of now. A
worker is only taken again if nothing of the run before is left in it that could matter:
it refuses if a module of the project has changed since it was imported, or if a thread
that a task has started is still alive. Idle workers end after a while, and with this
process. A child process that was forked has none of them.
"""

import os
import threading
import time
import weakref
from collections.abc import Sequence

from runnable.capture import real_environment
from runnable.concurrency import call_later
from runnable.engine.workers.pool import Worker, WorkerGoneError, absolute_import_path
from runnable.engine.workers.protocol import Renewal
from runnable.system.working_directory import working_directory

_LOOK_SECONDS = 5.0


class WarmWorkers:
    """Idle worker processes of a container.

    Args:
        limit: How many are kept; one for each processor if None, none if 0.
        idle_seconds: How long each is kept.
    """

    def __init__(self, limit: int | None = None, idle_seconds: float = 60.0) -> None:
        self._limit = (os.cpu_count() or 1) if limit is None else limit
        self._idle_seconds = idle_seconds
        self._look_seconds = min(idle_seconds, _LOOK_SECONDS)
        self._lock = threading.Lock()
        self._idle: list[tuple[float, Worker]] = []
        self._process = os.getpid()
        self._looks_again = False
        # Also at the end of the interpreter.
        weakref.finalize(self, _close_all, self._idle, os.getpid())

    def take(self) -> Worker | None:
        """Return a worker that is as good as a new one; None if there is none."""
        while True:
            with self._lock:
                if self._process != os.getpid():
                    self._process = os.getpid()
                    _close_all(self._idle, 0)
                if not self._idle:
                    return None
                _, worker = self._idle.pop()
            if _renewed(worker):
                return worker
            worker.kill()
            worker.close()

    def give_back(self, workers: Sequence[Worker]) -> list[Worker]:
        """Keep workers that have nothing to do.

        Args:
            workers: Idle ones, whose run has ended.

        Returns:
            Those that are not kept; the caller closes them.
        """
        with self._lock:
            room = max(self._limit - len(self._idle), 0)
            if self._process != os.getpid():
                room = 0
            now = time.monotonic()
            self._idle += [(now, worker) for worker in workers[:room]]
            if self._idle and not self._looks_again:
                self._looks_again = True
                call_later(self._look_seconds, self._end_old)
        return list(workers[room:])

    def _end_old(self) -> None:
        """Close workers that were idle for long; look again while there are others."""
        until = time.monotonic() - self._idle_seconds
        with self._lock:
            old = [worker for since, worker in self._idle if since <= until]
            self._idle[:] = [it for it in self._idle if it[0] > until]
            self._looks_again = bool(self._idle)
            if self._looks_again:
                call_later(self._look_seconds, self._end_old)
        for worker in old:
            worker.close()

    def close(self) -> None:
        """End all of them."""
        with self._lock:
            _close_all(self._idle, self._process)


def _close_all(idle: list[tuple[float, Worker]], owner: int) -> None:
    """Close workers; a process that was forked from the owner only forgets them."""
    while idle:
        _, worker = idle.pop()
        if owner == os.getpid():
            worker.close()
        else:
            worker.forget()


def _renewed(worker: Worker) -> bool:
    """Give a worker what a new one would have; return False if it refuses."""
    folder = str(working_directory() or "")
    try:
        worker.send(Renewal(absolute_import_path(), real_environment(), folder))
        renewed = worker.receive()
    except WorkerGoneError:
        return False
    worker.common = None
    return renewed is True
