"""Write what happens to the journal, then notify the subscribers of the run."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence

from runnable import defaults
from runnable.datastore import Journal
from runnable.events import Event, Pause, Subscriber
from runnable.graph import Node
from runnable.journal import (
    BranchFinished,
    Heartbeat,
    Record,
    RunState,
    ScopeState,
    StepFinished,
    StepStarted,
    StepState,
)
from runnable.scope import clock
from runnable.system.moments import text_of

logger = logging.getLogger(__name__)


def now() -> str:
    """Return the time, as run logs have it."""
    return text_of(clock.seconds())


class TooLateError(RuntimeError):
    """Something continued after its end was recorded; an end never changes."""


class UnrecordedError(Exception):
    """The journal could not keep a record, so the run ends; has the cause."""


class Recorder:
    """Appends to the journal of a run, from any of its threads.

    Args:
        journal: Where records are written.
        subscribers: Notified after a record has been written.
        state: The state of the run; each record is applied to it.
    """

    def __init__(
        self, journal: Journal, subscribers: Sequence[Subscriber], state: RunState
    ) -> None:
        self._journal = journal
        self._subscribers = subscribers
        self.state = state
        """The state of the run, with every record that was written."""
        # Reentrant, since a subscriber may be interrupted, or emit an event itself.
        self._lock = threading.RLock()
        # A lock of its own: subscribers do not wait for a store.
        self._notifying = threading.RLock()
        self._closed = False

    def record(self, record: Record) -> None:
        """Write a record, and notify the subscribers.

        Args:
            record: What has happened.

        Raises:
            TooLateError: If the end of the run, or of this step or branch, has been
                recorded.
            UnrecordedError: If it could not be written.
        """
        with self._lock:
            self._write(record)
            self.notify(record)

    def write(self, record: Record) -> None:
        """Write a record, of which the caller notifies subscribers; see `record`."""
        with self._lock:
            self._write(record)

    def _write(self, record: Record) -> None:
        if self.is_over:
            raise TooLateError(f"the run is over; not recorded: {record}")
        if isinstance(record, StepFinished | BranchFinished):
            self._check_open(record)
        self._append(record)
        self.state.add(record)

    def _append(self, record: Record) -> None:
        try:
            self._journal.append(record)
        except Exception as error:
            raise UnrecordedError from error

    def write_among_others(
        self, record: Record, read: Callable[[], Iterable[Record]]
    ) -> None:
        """Write a record to a journal that other processes write to as well.

        Args:
            record: What has happened.
            read: Reads what was written since the state was read, this record included.
        """
        with self._lock:
            self._append(record)
            for written in read():
                self.state.add(written)
            self.notify(record)

    def adopt(self, record: Record) -> None:
        """Apply a record that another process has written to the journal."""
        with self._lock:
            self.state.add(record)

    @property
    def is_over(self) -> bool:
        """Whether nothing can be recorded any more."""
        return self._closed or self.state.is_over

    def _check_open(self, record: StepFinished | BranchFinished) -> None:
        item = self.state.open.get(record.path)
        if item is None:
            raise TooLateError(f"{record.path!r} has ended; not recorded: {record}")
        if item.open_inside:
            # A thread that could not be interrupted is still in there.
            self.end_open(record.status, "it was left behind", below=record.path)

    def notify(self, event: Event) -> Pause | None:
        """Notify subscribers of an event that is not written.

        Args:
            event: What has happened.

        Returns:
            What to wait for before the next event, if a subscriber asks for a pause.
        """
        pause = None
        if not self._subscribers:
            return pause
        with self._notifying:
            for subscriber in self._subscribers:
                try:
                    pause = subscriber(event) or pause
                except Exception:
                    # A subscriber must not decide how a run ends.
                    logger.exception("A subscriber failed at %r", type(event).__name__)
        return pause

    def beat(self) -> None:
        """Record that the run is still active; subscribers are not notified."""
        with self._lock:
            if not self.is_over:
                record = Heartbeat(now(), clock.seconds())
                self._journal.append(record)
                self.state.add(record)

    def end_open(
        self, status: str, reason: str, below: str = "", but: str = ""
    ) -> None:
        """Record the end of what is open and can no longer record it itself.

        Args:
            status: How it ended.
            reason: The message for the run log.
            below: Only what is below this path; everything if empty.
            but: Not what is at this path, or below it; nothing if empty.
        """
        with self._lock:
            for item in self.state.open_below(below):
                if not (but and f"{item.path}.".startswith(f"{but}.")):
                    self.record(_end_of(item, status, reason))

    def fail_step(self, node: Node, path: str, number: int, reason: str) -> None:
        """Record that a step has failed whose process could not do so.

        Args:
            node: The step.
            path: Its path.
            number: Of the attempt; its start is recorded as well, if it is not.
            reason: The message for the run log.
        """
        with self._lock:
            if path not in self.state.open:
                kind = node.node_type
                self.record(StepStarted(now(), path, node.name, kind, number))
            self.record(
                StepFinished(now(), path, defaults.FAIL, {}, [], number, reason)
            )

    def close(self) -> None:
        """Close the journal."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._journal.close()


def _end_of(item: StepState | ScopeState, status: str, reason: str) -> Record:
    if isinstance(item, ScopeState):
        return BranchFinished(at=now(), path=item.path, status=status)
    return StepFinished(
        at=now(),
        path=item.path,
        status=status,
        outputs={},
        files=[],
        attempt=item.started.attempt,
        message=reason,
    )
