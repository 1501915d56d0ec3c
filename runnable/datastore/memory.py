"""A run log store in memory."""

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import PrivateAttr

from runnable.datastore.errors import (
    RunLogContinuedError,
    RunLogExistsError,
    RunLogNotFoundError,
)
from runnable.datastore.packed_records import PackedRecords
from runnable.datastore.store import BaseRunLogStore, Journal
from runnable.journal import Record


class _MemoryJournal:
    def __init__(self, run_id: str, journals: dict[str, PackedRecords]) -> None:
        self._run_id = run_id
        self._journals = journals
        self.records = journals[run_id]

    def append(self, record: Record, *more: Record) -> None:
        if self._journals.get(self._run_id) is not self.records:
            raise RunLogNotFoundError(self._run_id, "memory")  # deleted meanwhile
        self.records.append(record, *more)

    def close(self) -> None:
        pass


class MemoryRunLogStore(BaseRunLogStore):
    """Keeps run logs as long as this object lives.

    Each run that is configured with `{"type": "memory"}` has a store of its own; pass
    an instance to share one between runs.

    Example:
        >>> MemoryRunLogStore().list_run_ids()
        []
    """

    service_name: str = "buffered"
    is_local: ClassVar[bool] = True
    _journals: dict[str, PackedRecords] = PrivateAttr(default_factory=dict)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    def __getstate__(self) -> dict[Any, Any]:
        # Another process has a store of its own, which is empty.
        own: dict[str, object] = {"_journals": {}, "_lock": None}
        return {**super().__getstate__(), "__pydantic_private__": own}

    def __setstate__(self, state: dict[Any, Any]) -> None:
        super().__setstate__(state)
        self._lock = threading.Lock()

    def create(self, run_id: str, first: Record) -> Journal:
        """Create the journal of a new run, with its first record."""
        records = PackedRecords()
        records.append(first)
        with self._lock:
            if run_id in self._journals:
                raise RunLogExistsError(run_id, "memory")
            self._journals[run_id] = records
            return _MemoryJournal(run_id, self._journals)

    @property
    def is_shared(self) -> bool:
        """False: other processes cannot see the runs."""
        return False

    def key(self, run_id: str) -> str:
        """Return the identity of a run among all stores of this process."""
        return f"{id(self)} {run_id}"

    def reopen(self, run_id: str, first: Record, seen: int) -> Journal:
        """Continue the journal of an existing run."""
        with self._lock:
            if run_id not in self._journals:
                raise RunLogNotFoundError(run_id, "memory")
            if len(self._journals[run_id]) != seen:
                raise RunLogContinuedError(run_id)
            journal = _MemoryJournal(run_id, self._journals)
            journal.append(first)
            return journal

    def join(self, run_id: str) -> Journal:
        """Write to the journal of a run that another caller owns."""
        with self._lock:
            if run_id not in self._journals:
                raise RunLogNotFoundError(run_id, "memory")
            return _MemoryJournal(run_id, self._journals)

    def read(self, run_id: str, after: int = 0) -> Iterator[Record]:
        """Yield the records of a run, in the order they were written."""
        records = self._journals.get(run_id)
        if records is None:
            raise RunLogNotFoundError(run_id, "memory")
        return records.after(after)

    def remove(self, run_id: str) -> None:
        """Remove the log of a run for good."""
        with self._lock:
            if self._journals.pop(run_id, None) is None:
                raise RunLogNotFoundError(run_id, "memory")

    def list_run_ids(self) -> list[str]:
        """List the ids of all runs, sorted."""
        return sorted(self._journals.copy())

    def get_summary(self) -> dict[str, str]:
        """Return the type of this store."""
        return {"Type": self.service_name, "Location": "memory"}
