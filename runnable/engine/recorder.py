"""Write what happens to the journal, then notify the subscribers of the run."""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence

from pydantic import JsonValue

from runnable import defaults
from runnable.datastore import Journal, PackedRecords
from runnable.events import Event, Pause, Subscriber
from runnable.graph import Node
from runnable.journal import (
    BranchFinished,
    Heartbeat,
    Record,
    RunFinished,
    RunState,
    ScopeState,
    StepFinished,
    StepStarted,
    StepState,
)
from runnable.scope import clock
from runnable.secrets import Masker
from runnable.system.moments import text_of

logger = logging.getLogger(__name__)

_ENDS = (StepFinished, BranchFinished)
_SHORT = 100
"""Characters of a metric that a list of runs has room for."""


def now() -> str:
    """Return the time, as run logs have it."""
    return text_of(clock.seconds())


def end_of_run(status: str, state: RunState, masker: Masker) -> RunFinished:
    """Make the record of the end of a run.

    Args:
        status: How it ended.
        state: Its state.
        masker: Replaces secrets, also those that were not known when it began.
    """
    short = {name: it for name, it in state.metrics.items() if _is_short(it)}
    first = state.started
    if first is None:
        return RunFinished(now(), status, short)
    tag, tags = masker.text(first.tag), masker.texts(first.tags)
    return RunFinished(now(), status, short, first.at, tag, first.pipeline, tags)


def _is_short(value: JsonValue) -> bool:
    if isinstance(value, str):
        return len(value) <= _SHORT
    return isinstance(value, int | float)


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
        kept: Gets the records as well, so that the run log can be made of them.
        holds: Whether a record that others follow at once may be written with them. A
            record is written at the latest before a function of the user is called; who
            waits for something else calls `flush` before.
    """

    def __init__(
        self,
        journal: Journal,
        subscribers: Sequence[Subscriber],
        state: RunState,
        *,
        kept: PackedRecords | None = None,
        holds: bool = False,
    ) -> None:
        self._journal = journal
        self._kept = kept
        self._holds = holds
        self._held: list[Record] = []
        self._subscribers = subscribers
        self.state = state
        """The state of the run, with every record that was written."""
        # Reentrant, since a subscriber may be interrupted, or emit an event itself.
        self._lock = threading.RLock()
        # A lock of its own: subscribers do not wait for a store.
        self._notifying = threading.RLock()
        self._closed = False
        self._problem: BaseException | None = None
        """Why the journal may not have everything that the state has."""

    def record(self, *records: Record) -> None:
        """Write records, together, and notify the subscribers.

        Args:
            records: What has happened.

        Raises:
            TooLateError: If the end of the run, or of this step or branch, has been
                recorded.
            UnrecordedError: If it could not be written.
        """
        with self._lock:
            self.write(*records)
            for record in records:
                self.notify(record)

    def write(self, *records: Record) -> None:
        """Write records, of which the caller notifies subscribers; see `record`."""
        with self._lock:
            for record in records[:-1]:
                self._hold(record)
            self._check(records[-1])
            self._append(records[-1])
            self.state.add(records[-1])

    def hold(self, record: Record) -> bool:
        """Take note of a record that is written with the next one, if that may be.

        Args:
            record: What has happened; others follow at once.

        Returns:
            False if it has to be written now.
        """
        if not self._holds:
            return False
        with self._lock:
            self._hold(record)
        return True

    def _hold(self, record: Record) -> None:
        self._check(record)
        self._held.append(record)
        self.state.add(record)

    def flush(self) -> None:
        """Write the records that are held."""
        with self._lock:
            if self._held:
                self._append()

    def _check(self, record: Record) -> None:
        if self.is_over:
            raise TooLateError(f"the run is over; not recorded: {record}")
        if isinstance(record, _ENDS):
            self._check_open(record)

    def _append(self, *records: Record) -> None:
        together = (*self._held, *records)
        self._held.clear()
        if self._problem is not None:
            # Nothing may follow what is missing, but that the run has ended.
            if not records or not isinstance(records[-1], RunFinished):
                raise UnrecordedError from self._problem
            together = records
        try:
            self._journal.append(*together)
        except BaseException as error:
            # If it was interrupted, they may have been written, or not.
            self._problem = self._problem or error
            if isinstance(error, Exception):
                raise UnrecordedError from error
            raise
        if self._kept is not None:
            self._kept.append(*together)

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
            if self._kept is not None:
                self._kept.append(record)

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

    @property
    def is_certain(self) -> bool:
        """Whether the journal has everything that the state has."""
        return self._problem is None

    def beat(self) -> None:
        """Record that the run is still active; subscribers are not notified."""
        with self._lock:
            if not self.is_over:
                record = Heartbeat(now(), clock.seconds())
                # Alone: if this fails, nothing that is held is lost.
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
            open_items = self.state.open_below(below) if self.is_certain else ()
            for item in open_items:
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
