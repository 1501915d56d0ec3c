"""Journals of stores that refuse a second record of the same number.

Theory of operation. Records are kept by the number of the first one of those that were
written together. If that is taken, they were preceded by others: of a
process that has joined the run, and then it takes the number after theirs; or of one
that goes on with a run whose owner it thought to be gone, or deletes it, and then this
one must not write.
"""

import threading
from collections.abc import Callable, Iterator, Sequence

from runnable.datastore.codec import encode
from runnable.datastore.errors import RunLogContinuedError
from runnable.journal import Record, RunDeleting, RunFinished, RunResumed

Keep = Callable[[int, Sequence[bytes]], bool]
"""Keeps all of some records or none; the number is that of the first of them, and the
others follow. Returns False if there is another record of this number."""
ReadFrom = Callable[[int], Iterator[Record]]
"""Yields the records after a number."""


class NumberedJournal:
    """Appends to one run; the lock keeps the threads of this process in order.

    Args:
        run_id: The run.
        count: How many records it has.
        keep: Keeps records.
        read_from: Reads those that others have kept.
        ended: Called once the end of the run is kept.
    """

    def __init__(
        self,
        run_id: str,
        count: int,
        keep: Keep,
        read_from: ReadFrom,
        ended: Callable[[RunFinished], None] | None = None,
    ) -> None:
        self._run_id = run_id
        self._count = count
        self._keep = keep
        self._read_from = read_from
        self._ended = ended
        self._lock = threading.Lock()

    def append(self, record: Record, *more: Record) -> None:
        """Keep records; see `Journal`."""
        records = (record, *more)
        lines = [encode(it) for it in records]
        with self._lock:
            while not self._keep(self._count + 1, lines):
                self._catch_up()
            self._count += len(lines)
        if self._ended is not None and isinstance(records[-1], RunFinished):
            self._ended(records[-1])

    def taken(self, first: Record) -> "NumberedJournal":
        """Keep the record that takes the run over; return this journal.

        Args:
            first: The record.

        Raises:
            RunLogContinuedError: If there is another record of its number.
        """
        if not self._keep(self._count + 1, [encode(first)]):
            raise RunLogContinuedError(self._run_id)
        self._count += 1
        return self

    def _catch_up(self) -> None:
        others = list(self._read_from(self._count))
        taken = (RunResumed, RunDeleting)
        if not others or any(isinstance(record, taken) for record in others):
            raise RunLogContinuedError(self._run_id)
        self._count += len(others)

    def close(self) -> None:
        """Do nothing: all records have been kept."""
