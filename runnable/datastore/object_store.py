"""Run log stores in buckets: an object for each record.

Theory of operation. `<run_id>/journal/00000000` claims a run, and the records follow by
number. The server refuses to create an object that is there: so of two that begin or
continue a run at once, one succeeds, and a process that was thought to be gone cannot
write any more. `<run_id>/<run_id>.json` is for people, written when the run ends.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from runnable.datastore.numbered import NumberedJournal
from runnable.datastore.records import DamagedLineError, Record, decode
from runnable.datastore.run_log import RunLog
from runnable.datastore.run_summary import RunSummary, Wanted, select
from runnable.datastore.snapshot import dump_run_log
from runnable.datastore.store import BaseRunLogStore, Journal
from runnable.exceptions import (
    RunLogContinuedError,
    RunLogDamagedError,
    RunLogExistsError,
    RunLogNotFoundError,
)
from runnable.names import check_run_id
from runnable.object_stores import Bucket, MinioPlace, S3Place

_READ_AT_ONCE = 16
_READ_AHEAD = 128


class S3RunLogStore(S3Place, BaseRunLogStore):
    """Keeps run logs in a bucket of S3.

    Example:
        >>> S3RunLogStore(bucket="data/logs").get_summary()["Location"]
        's3://data/logs'
    """

    def create(self, run_id: str) -> Journal:
        """Begin the journal of a new run."""
        if not self.objects.put_once(_key(run_id, 0), os.urandom(16)):
            raise RunLogExistsError(run_id, self.location)
        return self._journal(run_id, 0)

    def _journal(self, run_id: str, count: int, claim: bytes = b"") -> NumberedJournal:
        def keep(number: int, line: bytes) -> bool:
            key = _key(run_id, number)
            if not self.objects.put_once(key, line):
                return False
            if claim and self._claim(run_id) != claim:
                self.objects.delete([key])  # it was deleted meanwhile
                raise RunLogNotFoundError(run_id, self.location)
            return True

        def read_from(number: int) -> Iterator[Record]:
            return self._read(run_id, self._keys(run_id)[number:])

        return NumberedJournal(run_id, count, keep, read_from)

    def reopen(self, run_id: str, first: Record, seen: int) -> Journal:
        """Continue the journal of a run that was begun before."""
        if len(self._keys(run_id)) != seen:
            raise RunLogContinuedError(run_id)
        return self._journal(run_id, seen).taken(first)

    def join(self, run_id: str) -> Journal:
        """Write to the journal of a run that another process has."""
        claim = self._claim(run_id)
        return self._journal(run_id, len(self._keys(run_id)), claim)

    def _claim(self, run_id: str) -> bytes:
        """Return what tells a run from another one of its id; nothing if it is gone."""
        try:
            return self.objects.get(_key(run_id, 0))
        except FileNotFoundError:
            return b""

    def _keys(self, run_id: str) -> list[str]:
        """List the records of a run, without its claim, in their order."""
        folder = _key(run_id, 0).rpartition("/")[0]
        names = sorted(self.objects.names(folder))
        if not names:
            raise RunLogNotFoundError(run_id, self.location)
        for number, name in enumerate(names):
            if name != f"{number:08}":
                why = f"record {number} is missing"
                raise RunLogDamagedError(run_id, f"{self.location}, {folder}", why)
        return [f"{folder}/{name}" for name in names[1:]]

    def read(self, run_id: str) -> Iterator[Record]:
        """Yield the records of a run, in the order they were written."""
        return self._read(run_id, self._keys(run_id))

    def _read(self, run_id: str, keys: list[str]) -> Iterator[Record]:
        # A request takes long, and little of it is work: many at once.
        with ThreadPoolExecutor(_READ_AT_ONCE, "run-log") as pool:
            for start in range(0, len(keys), _READ_AHEAD):
                some = keys[start : start + _READ_AHEAD]
                for key, line in zip(
                    some, pool.map(self.objects.get, some), strict=True
                ):
                    yield self._decode(run_id, key, line)

    def _decode(self, run_id: str, key: str, line: bytes) -> Record:
        try:
            return decode(line)
        except DamagedLineError as error:
            place = f"{self.location}, {key}"
            raise RunLogDamagedError(run_id, place, str(error)) from error

    def ends(self, run_id: str) -> tuple[Record | None, Record | None]:
        """Read the first record and the last one alone."""
        keys = self._keys(run_id)
        if not keys:
            return None, None
        first, last = (
            self._decode(run_id, key, self.objects.get(key))
            for key in (keys[0], keys[-1])
        )
        return first, last

    def list_runs(self, wanted: Wanted = Wanted()) -> list[RunSummary]:  # noqa: B008 - immutable
        """List runs, the latest first; a damaged one hides no other."""
        with ThreadPoolExecutor(_READ_AT_ONCE, "run-log") as pool:
            return select(pool.map(self.summary, self.list_run_ids()), wanted)

    def finish(self, run_log: RunLog) -> None:
        """Write the copy that people and other programs read."""
        run_id = run_log.run_id
        content = b"".join(dump_run_log(run_log))
        self.objects.put(f"{run_id}/{run_id}.json", content)

    def remove(self, run_id: str) -> None:
        """Remove the log of a run for good.

        The first record goes first, so that nobody can go on with an earlier state; the
        last one last, so that nobody can write after what a kill has left, and with it
        the claim, so that nobody begins a run of this id before.
        """
        names = sorted(self.objects.names(check_run_id(run_id)))
        if not names:
            raise RunLogNotFoundError(run_id, self.location)
        claim, first = _key(run_id, 0), _key(run_id, 1)
        keys = [f"{run_id}/{name}" for name in names]
        journal = [it for it in keys if "/journal/" in it and it != claim]
        last = [*journal[-1:], claim]
        between = [it for it in keys if it not in {first, *last}]
        for some in ([first] if len(journal) > 1 else [], between, last):
            self.objects.delete(some)

    def list_run_ids(self) -> list[str]:
        """List the ids of all runs, sorted."""
        return sorted(folder.rpartition("/")[2] for folder in self.objects.folders())

    def get_summary(self) -> dict[str, str]:
        """Say what this store is and where it keeps run logs."""
        return {"Type": self.service_name, "Location": self.location}


class MinioRunLogStore(MinioPlace, S3RunLogStore):
    """Keeps run logs on a MinIO server.

    Example:
        >>> MinioRunLogStore().get_summary()["Location"]
        's3://runnable/run-logs at http://localhost:9002'
    """

    bucket: Bucket = "runnable/run-logs"


def _key(run_id: str, number: int) -> str:
    return f"{check_run_id(run_id)}/journal/{number:08}"
