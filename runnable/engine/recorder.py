"""Keep what happens, then tell it; and know what has begun and not ended."""

import datetime as dt
import logging
import threading
from collections.abc import Sequence

from runnable.datastore import (
    BranchFinished,
    BranchStarted,
    Journal,
    Record,
    RunFinished,
    StepFinished,
    StepStarted,
)
from runnable.events import Event, Subscriber

logger = logging.getLogger(__name__)


def now() -> str:
    """Return the local time, as run logs have it."""
    return dt.datetime.now().isoformat(" ", "microseconds")  # noqa: DTZ005 - as documented


class RunOverError(RuntimeError):
    """Something of a run went on after its end, and was not recorded."""


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
        self._open: dict[str, StepStarted | BranchStarted] = {}
        self._over = False

    def record(self, record: Record) -> None:
        """Keep a record, and tell it.

        Args:
            record: What has happened.

        Raises:
            RunOverError: If the run has ended: a terminal status never changes.
        """
        with self._lock:
            if self._over:
                raise RunOverError(f"the run is over; not recorded: {record}")
            self._journal.append(record)
            self._follow(record)
            self.tell(record)

    def _follow(self, record: Record) -> None:
        match record:
            case StepFinished() | BranchFinished():
                self._open.pop(record.path, None)
            case StepStarted() | BranchStarted():
                self._open[record.path] = record
            case RunFinished():
                self._over = True
            case _:
                pass

    def tell(self, event: Event) -> None:
        """Tell something that need not be kept."""
        if not self._subscribers:
            return
        with self._lock:
            for subscriber in self._subscribers:
                try:
                    subscriber(event)
                except Exception:
                    # Who only listens must not decide how a run ends.
                    logger.exception("A subscriber failed at %r", type(event).__name__)

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
