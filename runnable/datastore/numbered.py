"""Journals of stores that refuse a second record of the same number."""

import threading
from collections.abc import Callable

from runnable.datastore.records import Record, encode
from runnable.exceptions import RunLogContinuedError

Keep = Callable[[int, bytes], bool]
"""Keeps a record under its number; False if there is another one of this number."""


class NumberedJournal:
    """Appends to one run; the lock keeps the threads of this process in order.

    Args:
        run_id: The run.
        count: How many records it has.
        keep: Keeps a record.
    """

    def __init__(self, run_id: str, count: int, keep: Keep) -> None:
        self._run_id = run_id
        self._count = count
        self._keep = keep
        self._lock = threading.Lock()

    def append(self, record: Record) -> None:
        """Keep a record; see `Journal`."""
        line = encode(record)
        with self._lock:
            if not self._keep(self._count + 1, line):
                raise RunLogContinuedError(self._run_id)
            self._count += 1

    def close(self) -> None:
        """Do nothing: each record has been kept."""
