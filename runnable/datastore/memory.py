"""A run log store in memory."""

import threading
import zlib
from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import PrivateAttr

from runnable.datastore.codec import decode, encode
from runnable.datastore.errors import (
    RunLogContinuedError,
    RunLogExistsError,
    RunLogNotFoundError,
)
from runnable.datastore.store import BaseRunLogStore, Journal
from runnable.journal import Record

_LONG_BYTES = 1024


class _MemoryJournal:
    def __init__(self, run_id: str, journals: dict[str, list[bytes]]) -> None:
        self._run_id = run_id
        self._journals = journals
        self._lines = journals[run_id]

    def append(self, record: Record, *more: Record) -> None:
        if self._journals.get(self._run_id) is not self._lines:
            raise RunLogNotFoundError(self._run_id, "memory")  # deleted meanwhile
        self._lines += map(_packed, (record, *more))

    def close(self) -> None:
        pass


def _packed(record: Record) -> bytes:
    # Encoded, so that later changes of a value do not change its record.
    line = encode(record)
    # Descriptions of runs are long and repetitive.
    return zlib.compress(line, 1) if len(line) > _LONG_BYTES else line


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
    _journals: dict[str, list[bytes]] = PrivateAttr(default_factory=dict)
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
        line = _packed(first)
        with self._lock:
            if run_id in self._journals:
                raise RunLogExistsError(run_id, "memory")
            self._journals[run_id] = [line]
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
        lines = self._journals.get(run_id)
        if lines is None:
            raise RunLogNotFoundError(run_id, "memory")
        return (
            decode(line if line.startswith(b"{") else zlib.decompress(line))
            for line in lines[after:]
        )

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
