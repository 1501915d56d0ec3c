"""Chunks of branches: how many make one, and what is left of one while it is run."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from runnable.engine.workers.protocol import Assignment, Done
from runnable.graph import TaskNode, join

_SECONDS = 0.4
"""How long a chunk is to take: long enough that sending it is no matter, short enough
that all workers end at about the same time."""
MOST_IN_CHUNK = 256
"""How many branches one worker gets at once."""
_FASTEST_GROWTH = 8


class ChunkSize:
    """Decides how many branches one worker gets at once, by what those before took.

    Args:
        count: How many branches there are in all.
        workers: How many run at once.
        most: How many make a chunk at most.

    Example:
        >>> size = ChunkSize(1000, 2)
        >>> size.next()
        1
        >>> size.took(1, seconds=0.001)
        >>> size.next()
        8
    """

    def __init__(self, count: int, workers: int, most: int = MOST_IN_CHUNK) -> None:
        self._left = count
        self._most = most
        self._workers = workers
        self._lock = threading.Lock()
        self._seconds = 0.0
        """How long a branch takes; 0 if unknown."""
        self._largest = 1

    def next(self) -> int:
        """Return how many the next chunk has; the caller takes as many."""
        with self._lock:
            size = 1
            if self._seconds:
                # Less and less towards the end, so that no worker has much left then.
                fair = self._left // (2 * self._workers)
                fitting = int(_SECONDS / self._seconds)
                most = min(self._most, self._largest * _FASTEST_GROWTH)
                size = max(1, min(fitting, fair, most))
            self._largest = max(size, self._largest)
            self._left -= size
            return size

    def took(self, count: int, seconds: float) -> None:
        """Learn how long a chunk took.

        Args:
            count: How many branches it had.
            seconds: From when it was sent to its end.
        """
        each = max(seconds, 1e-6) / count
        with self._lock:
            self._seconds = (self._seconds + each) / 2 if self._seconds else each


class StopRemote:
    """Stops what another process runs, now or as soon as it is there."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._call: Callable[[], object] | None = None
        self.called = False

    def __call__(self) -> None:
        """Stop it."""
        with self._lock:
            self.called, call = True, self._call
        if call is not None:
            call()

    def set(self, call: Callable[[], object]) -> None:
        """Set how to stop it; called at once, if it is to be stopped already."""
        with self._lock:
            self._call, called = call, self.called
        if called:
            call()


class Progress:
    """The assignments of a chunk that another process still has to run.

    Args:
        chunk: The branches, or one step.
        ended: Called with each one that has ended, from any thread.
    """

    def __init__(
        self,
        chunk: Sequence[Assignment],
        ended: Callable[[Assignment, Done], object],
    ) -> None:
        self.left = deque(chunk)
        self._ended = ended
        self.has_started = False
        """Whether something of the first one that is left is recorded."""
        self.raised: BaseException | None = None
        """An exception that interrupts the run itself."""
        self._began = time.monotonic()
        self._count = 0

    def done(self, done: Done) -> bool:
        """Take the result of the first one that is left; return if that was the end."""
        first = self.left.popleft()
        self.has_started = False
        if done.raised is not None:
            self.raised = done.raised
            return True
        self._count += 1
        self._ended(first, done)
        return not self.left

    def report_to(self, size: ChunkSize) -> None:
        """Report how long what has ended took."""
        if self._count:
            size.took(self._count, time.monotonic() - self._began)

    @property
    def name(self) -> str:
        """The name of the first one that is left, for errors."""
        first = self.left[0]
        if isinstance(first.work, TaskNode):
            return f"step {path_of(first)!r}"
        return f"branch {path_of(first)!r}"

    @property
    def scope(self) -> str:
        """The path of the scope of the first one that is left.

        In one scope, one step runs at a time: nothing else is open there.
        """
        return self.left[0].scope.path


def path_of(assignment: Assignment) -> str:
    """Return the path of a step or of a branch."""
    scope, work = assignment.scope, assignment.work
    return join(scope.path, work.name) if isinstance(work, TaskNode) else scope.path
