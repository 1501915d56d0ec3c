"""Keep what happens, then tell it; and know what has begun and not ended."""

import logging
import threading
from collections.abc import Sequence

from runnable import clock
from runnable.clock import seconds
from runnable.datastore import (
    BranchFinished,
    BranchStarted,
    Heartbeat,
    Journal,
    Record,
    RunFinished,
    StepFinished,
    StepStarted,
)
from runnable.events import Event, Pause, Subscriber
from runnable.graph import parent

logger = logging.getLogger(__name__)


def now() -> str:
    """Return the local time, as run logs have it."""
    return clock.local_time().isoformat(" ", "microseconds")


class TooLateError(RuntimeError):
    """Something went on after its end was recorded; an end never changes."""


class UnrecordedError(Exception):
    """The journal could not keep a record, so the run cannot go on; has the cause."""


class Recorder:
    """Appends to the journal of a run, from any of its threads.

    Args:
        journal: Where records are kept.
        subscribers: Those who are told, after it has been kept.
    """

    def __init__(self, journal: Journal, subscribers: Sequence[Subscriber]) -> None:
        self._journal = journal
        self._subscribers = subscribers
        # Reentrant, since a subscriber may be interrupted, or tell something itself.
        self._lock = threading.RLock()
        # Another one: what is told waits for no store.
        self._telling = threading.RLock()
        self._open: dict[str, StepStarted | BranchStarted] = {}
        # How much of it stands in a branch, or is one, by what it stands in.
        self._open_within: dict[str, int] = {}
        self._over = False
        self.count = 0
        """How many records have been kept."""

    def record(self, record: Record) -> None:
        """Keep a record, and tell it.

        Args:
            record: What has happened.

        Raises:
            TooLateError: If the end of the run, or of this step or branch, has been
                recorded.
            UnrecordedError: If it could not be kept.
        """
        with self._lock:
            self._keep(record)
            self.tell(record)

    def keep(self, record: Record) -> None:
        """Keep a record, which whoever calls this tells then; else as `record`."""
        with self._lock:
            self._keep(record)

    def _keep(self, record: Record) -> None:
        if self._over:
            raise TooLateError(f"the run is over; not recorded: {record}")
        if isinstance(record, StepFinished | BranchFinished):
            self._end(record)
        try:
            self._journal.append(record)
        except Exception as error:
            raise UnrecordedError from error
        self.count += 1
        if isinstance(record, StepStarted | BranchStarted):
            self.adopt(record)
        self._over = isinstance(record, RunFinished)

    @property
    def is_over(self) -> bool:
        """Whether the end of the run has been recorded."""
        return self._over

    def adopt(self, started: StepStarted | BranchStarted) -> None:
        """Know of something that has begun, maybe in another process.

        Args:
            started: Its record.
        """
        with self._lock:
            is_new = started.path not in self._open
            self._open[started.path] = started
            if is_new and (outer := parent(started.path)):
                self._open_within[outer] = self._open_within.get(outer, 0) + 1

    def _end(self, record: StepFinished | BranchFinished) -> None:
        path = record.path
        if path not in self._open:
            raise TooLateError(f"{path!r} has ended; not recorded: {record}")
        if self._open_within.get(path):
            # A thread that could not be ended is still in there.
            self.end_open(record.status, "it was left behind", under=path)
        del self._open[path]
        self._open_within.pop(path, None)
        if outer := parent(path):
            self._open_within[outer] -= 1

    def tell(self, event: Event) -> Pause | None:
        """Tell something that need not be kept.

        Args:
            event: What has happened.

        Returns:
            What to wait for before there is more to tell, if somebody asks for it.
        """
        pause = None
        if not self._subscribers:
            return pause
        with self._telling:
            for subscriber in self._subscribers:
                try:
                    pause = subscriber(event) or pause
                except Exception:
                    # Who only listens must not decide how a run ends.
                    logger.exception("A subscriber failed at %r", type(event).__name__)
        return pause

    def beat(self) -> None:
        """Record that the run is still under way; nobody is told."""
        with self._lock:
            if not self._over:
                self._journal.append(Heartbeat(now(), seconds()))

    def end_open(self, status: str, why: str, under: str = "") -> None:
        """Record an end for what has begun and can no longer say itself how it ended.

        Args:
            status: How it ended.
            why: The message for the run log.
            under: Only for what stands in the branch of this path; everything if empty.
        """
        with self._lock:
            for path, started in reversed(list(self._open.items())):
                if not under or path.startswith(f"{under}."):
                    self.record(_end_of(started, status, why))

    def close(self) -> None:
        """Close the journal."""
        with self._lock:
            self._over = True
            self._journal.close()


def _end_of(started: StepStarted | BranchStarted, status: str, why: str) -> Record:
    if isinstance(started, BranchStarted):
        return BranchFinished(at=now(), path=started.path, status=status)
    return StepFinished(
        at=now(),
        path=started.path,
        status=status,
        outputs={},
        files=[],
        attempt=started.attempt,
        message=why,
    )
