"""Run log stores in buckets: an object for the records that are written together.

Theory of operation. `<run_id>/journal/00000000` is the first record of a run; the other
objects have the number of the first record in them. The server refuses to create an
object that is there: so of two that start or continue a run at once, one succeeds, and
a process that was thought to be gone cannot write any more. The first object also has
random digits, which distinguish the run from a later one of the same id; a deletion
replaces it first. `<run_id>/<run_id>.json` is for people, written when the run
ends. `.summaries` has the runs that have ended, for lists. Logs of version 0.50 are the
copy for people alone, or `<run_id>/RunLog` and one for each branch.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn

from runnable.datastore.codec import DamagedLineError, decode, encode
from runnable.datastore.earlier_logs import ROOT, ends_of, is_piece, join_pieces
from runnable.datastore.errors import (
    RunLogContinuedError,
    RunLogDamagedError,
    RunLogExistsError,
    RunLogNotFoundError,
)
from runnable.datastore.numbered_journal import NumberedJournal
from runnable.datastore.run_log import RunLog
from runnable.datastore.run_summary import RunSummary
from runnable.datastore.snapshot import dump_run_log
from runnable.datastore.store import BaseRunLogStore, Journal
from runnable.datastore.summary_names import FOLDER as SUMMARIES
from runnable.datastore.summary_names import by_run, name_of
from runnable.journal import Record, RunFinished
from runnable.system.object_stores import Bucket, MinioPlace, S3Place
from runnable.system.run_ids import check_run_id

_READ_AT_ONCE = 16
_READ_AHEAD = 128
_FEW = 50
"""Runs that are read themselves, rather than found among the summaries of all."""
logger = logging.getLogger(__name__)
_DELETED = b"deleted"
"""In place of the first record of a run that is being deleted."""


class S3RunLogStore(S3Place, BaseRunLogStore):
    """Keeps run logs in a bucket of S3.

    Example:
        >>> S3RunLogStore(bucket="data/logs").get_summary()["Location"]
        's3://data/logs'
    """

    def create(self, run_id: str, first: Record) -> Journal:
        """Create the journal of a new run, with its first record."""
        content = encode(first) + os.urandom(8).hex().encode()
        if self._pieces(run_id):
            raise RunLogExistsError(run_id, self.location)
        if not self.objects.put_once(_key(run_id, 0), content):
            raise RunLogExistsError(run_id, self.location)
        return self._journal(run_id, 1, content)

    def _journal(
        self, run_id: str, count: int, claim: bytes, *, is_joined: bool = False
    ) -> NumberedJournal:
        latest = ""

        def keep(number: int, lines: Sequence[bytes]) -> bool:
            nonlocal latest
            key = latest = _key(run_id, number - 1)
            if not self.objects.put_once(key, b"".join(lines)):
                return False
            if is_joined and self._claim(run_id) != claim:
                self.objects.delete([key])  # it was deleted meanwhile
                raise RunLogNotFoundError(run_id, self.location)
            return True

        def read_from(number: int) -> Iterator[Record]:
            return self._read(run_id, self._keys(run_id), number)

        def ended(last: RunFinished) -> None:
            self._sum_up(run_id, last, claim, latest)

        return NumberedJournal(run_id, count, keep, read_from, ended)

    def _sum_up(self, run_id: str, last: RunFinished, claim: bytes, key: str) -> None:
        """Put the name that lists find an ended run by."""
        name = name_of(run_id, last)
        if not name:
            return
        try:
            self.objects.put(name, b"")
            # Others may have deleted or resumed the run, and seen no name.
            if not self._ends_with(run_id, claim, key):
                self.objects.delete([name])
        except OSError as error:  # the run has ended, and is recorded
            logger.warning("Lists of runs will read run %r: %s", run_id, error)

    def reopen(self, run_id: str, first: Record, seen: int) -> Journal:
        """Continue the journal of an existing run."""
        if self._count(run_id) != seen:
            raise RunLogContinuedError(run_id)
        self._forget_summary(run_id)
        journal = self._journal(run_id, seen, self._claim(run_id)).taken(first)
        self._forget_summary(run_id)  # its owner may have ended it just then
        return journal

    def _ends_with(self, run_id: str, claim: bytes, key: str) -> bool:
        """Return True if a run is the same one still, and nothing follows an object."""
        try:
            return self._claim(run_id) == claim and self._keys(run_id)[-1] == key
        except RunLogNotFoundError:
            return False

    def join(self, run_id: str) -> Journal:
        """Write to the journal of a run that another process has."""
        claim = self._claim(run_id)
        count = self._count(run_id)
        self._forget_summary(run_id)
        return self._journal(run_id, count, claim, is_joined=True)

    def _forget_summary(self, run_id: str) -> None:
        folder = f"{SUMMARIES}/{run_id}"
        if names := [f"{folder}/{it}" for it in self.objects.names(folder)]:
            self.objects.delete(names)

    def _count(self, run_id: str) -> int:
        """Return how many records a run has."""
        last = self._keys(run_id)[-1]
        return _number(last) + len(self._lines(run_id, last, self.objects.get(last)))

    def _claim(self, run_id: str) -> bytes:
        """Return the identity of this run, not of a later one; empty if gone."""
        try:
            return self.objects.get(_key(run_id, 0))
        except FileNotFoundError:
            return b""

    def _keys(self, run_id: str) -> list[str]:
        """List the objects with the records of a run in their order."""
        folder = _key(run_id, 0).rpartition("/")[0]
        names = sorted(self.objects.names(folder))
        if not names:
            raise RunLogNotFoundError(run_id, self.location)
        if strange := [name for name in names if not name.isdecimal()]:
            self._damaged(run_id, f"{strange[0]!r} is no number of a record")
        if int(names[0]):
            self._damaged(run_id, "record 0 is missing")
        return [f"{folder}/{name}" for name in names]

    def read(self, run_id: str, after: int = 0) -> Iterator[Record]:
        """Yield the records of a run, in the order they were written."""
        return self._read(run_id, self._keys(run_id), after)

    def _damaged(self, run_id: str, why: str) -> NoReturn:
        raise RunLogDamagedError(run_id, f"{self.location}, {run_id}/journal", why)

    def _read(self, run_id: str, keys: list[str], after: int) -> Iterator[Record]:
        later = [key for key in keys if _number(key) > after]
        keys = keys[len(keys) - len(later) - 1 :]
        number = _number(keys[0])
        for key, content in self._contents(keys):
            if _number(key) != number:
                self._damaged(run_id, f"record {number} is missing")
            for line in self._lines(run_id, key, content):
                number += 1
                if number > after:
                    yield self._decode(run_id, key, line)

    def _contents(self, keys: list[str]) -> Iterator[tuple[str, bytes]]:
        # A request takes long, and little of it is work: many at once.
        with ThreadPoolExecutor(_READ_AT_ONCE, "run-log") as pool:
            for start in range(0, len(keys), _READ_AHEAD):
                some = keys[start : start + _READ_AHEAD]
                yield from zip(some, pool.map(self.objects.get, some), strict=True)

    def _lines(self, run_id: str, key: str, content: bytes) -> list[bytes]:
        """Return the records in an object, still encoded."""
        if content == _DELETED:
            why = "its deletion started and did not finish; delete it again"
            raise RunLogDamagedError(run_id, self.location, why)
        *lines, rest = content.split(b"\n")
        if rest and _number(key):
            lines.append(rest)  # it was changed
        if not lines:
            self._damaged(run_id, f"{key} has no record")
        return [line + b"\n" for line in lines]

    def _decode(self, run_id: str, key: str, line: bytes) -> Record:
        try:
            return decode(line)
        except DamagedLineError as error:
            location = f"{self.location}, {key}"
            raise RunLogDamagedError(run_id, location, str(error)) from error

    def ends(self, run_id: str) -> tuple[Record | None, Record | None]:
        """Read the first record and the last one alone."""
        try:
            keys = self._keys(run_id)
        except RunLogNotFoundError:
            return ends_of(self.get_run_log_by_id(run_id))
        first, last = (
            self._decode(run_id, key, self._lines(run_id, key, content)[at])
            for key, at in ((keys[0], 0), (keys[-1], -1))
            for content in [self.objects.get(key)]
        )
        return first, last

    def summaries(self, run_ids: Sequence[str]) -> Iterator[RunSummary | None]:
        """Sum up runs, in this order; many of them by the names of objects."""
        is_worth_it = len(run_ids) > _FEW
        known = by_run(self.objects.names(SUMMARIES)) if is_worth_it else {}
        with ThreadPoolExecutor(_READ_AT_ONCE, "run-log") as pool:
            for start in range(0, len(run_ids), _READ_AHEAD):
                some = run_ids[start : start + _READ_AHEAD]
                others = [it for it in some if it not in known]
                read = dict(zip(others, pool.map(self.summary, others), strict=True))
                yield from (known.get(it) or read[it] for it in some)

    def finish(self, run_log: RunLog) -> None:
        """Write the copy that people and other programs read."""
        run_id = run_log.run_id
        content = b"".join(dump_run_log(run_log))
        self.objects.put(f"{run_id}/{run_id}.json", content)
        if not self._claim(run_id):  # the run was deleted meanwhile
            self.objects.delete([f"{run_id}/{run_id}.json"])

    def _pieces(self, run_id: str) -> list[str]:
        """List the objects of a run that version 0.50 has run: one, or several."""
        names = list(self.objects.names(check_run_id(run_id)))
        if any(name.startswith("journal/") for name in names):
            return []
        whole = [name for name in names if name == f"{run_id}.json"]
        return whole or sorted(filter(is_piece, names))

    def earlier_log(self, run_id: str) -> RunLog | None:
        """Read a log that has no journal: one that version 0.50 has written."""
        pieces = self._pieces(run_id)
        if not pieces:
            return None
        content = {
            ROOT if name == f"{run_id}.json" else name: self.objects.get(
                f"{run_id}/{name}"
            )
            for name in pieces
        }
        return join_pieces(run_id, f"{self.location}, {run_id}", content)

    def save_state(self, run_id: str, content: bytes) -> None:
        """Save the state of a run in an object."""
        self.objects.put(f"{check_run_id(run_id)}/state", content)

    def load_state(self, run_id: str) -> bytes | None:
        """Return the state of a run that was saved last."""
        try:
            return self.objects.get(f"{check_run_id(run_id)}/state")
        except FileNotFoundError:
            return None

    def remove(self, run_id: str) -> None:
        """Remove the log of a run for good.

        The first record is replaced first, so that nobody can continue an earlier
        state, and removed last, so that nobody starts a run of this id before.
        """
        names = sorted(self.objects.names(check_run_id(run_id)))
        if not names:
            raise RunLogNotFoundError(run_id, self.location)
        first = _key(run_id, 0)
        self.objects.put(first, _DELETED)
        self._forget_summary(run_id)
        keys = [f"{run_id}/{name}" for name in names]
        self.objects.delete([it for it in keys if it != first])
        self.objects.delete([first])

    def list_run_ids(self) -> list[str]:
        """List the ids of all runs, sorted."""
        found = (folder.rpartition("/")[2] for folder in self.objects.folders())
        return sorted(it for it in found if it != SUMMARIES)

    def get_summary(self) -> dict[str, str]:
        """Return the type and the location of this store."""
        return {"Type": self.service_name, "Location": self.location}


class MinioRunLogStore(MinioPlace, S3RunLogStore):
    """Keeps run logs on a MinIO server.

    Example:
        >>> MinioRunLogStore().get_summary()["Location"]
        's3://runnable/run-logs at http://localhost:9002'
    """

    bucket: Bucket = "runnable/run-logs"


def _number(key: str) -> int:
    """Return the number of the first record in an object."""
    return int(key.rpartition("/")[2])


def _key(run_id: str, number: int) -> str:
    return f"{check_run_id(run_id)}/journal/{number:08}"
