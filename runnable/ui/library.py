"""The runs that pages show: read from the store, and kept for a while.

Theory of operation. What was read of a run is kept with the number of its records, and
only newer records are read again; so a page of a run that is active costs what has
happened since the last one. A few runs are kept, the latest that were looked at.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import NamedTuple, cast

from runnable.concurrency import Runs
from runnable.datastore import (
    Record,
    RunLog,
    RunLogView,
    RunSummary,
)
from runnable.datastore.errors import RunLogDamagedError, RunLogNotFoundError
from runnable.defaults import PROCESSING
from runnable.engine import shared_of_container
from runnable.journal import Owner, Ownership, UnknownPathError
from runnable.sdk.kept_runs import KeptRuns, open_runs
from runnable.sdk.runs import delete_runs
from runnable.sdk.services import AnyRunContainer, close_all
from runnable.ui.index import Query, RunIndex

_KEPT = 4
_YIELD_RECORDS = 128
_MOST_ACTIVE = 200


@dataclass(slots=True, eq=False)
class _Known:
    """The records of one run that were read, folded."""

    view: RunLogView = field(default_factory=RunLogView)
    run_log: RunLog | None = None
    count: int = -1
    """How many records the run log was made of."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class ReadRun(NamedTuple):
    """A run log, as it is now."""

    run_log: RunLog
    records: int
    """How many records it was made of."""


class Library:
    """All runs of one store.

    Args:
        kept: The store and the catalog.
        close: Closes them.
        container: Has active runs; those of other processes cannot be cancelled here.
        configuration_file: What they were opened by; None if it was not a file.
    """

    def __init__(
        self,
        kept: KeptRuns,
        close: Callable[[], object],
        container: AnyRunContainer | None,
        configuration_file: str | None,
    ) -> None:
        self._kept = kept
        self._close = close
        self._container = container
        self.configuration_file = configuration_file
        self.index = RunIndex(kept.store, kept.with_status)
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def opened(
        cls,
        configuration_file: str | None,
        services: Mapping[str, object] | None,
        container: AnyRunContainer | None,
    ) -> "Library":
        """Open the store and the catalog of a configuration."""
        kept, owned = open_runs(configuration_file, services, container)
        is_by_file = not services and container is None
        file = (configuration_file or "") if is_by_file else None
        return cls(kept, partial(close_all, owned), container, file)

    def close(self) -> None:
        """Close the store, the catalog and the index."""
        self.index.close()
        self._close()

    @property
    def location(self) -> str:
        """Where the runs are, for people."""
        found = self._kept.store.get_summary()
        return f"{found.get('Type', '')} {found.get('Location', '')}".strip()

    @property
    def is_shared(self) -> bool:
        """Whether other processes see the runs."""
        return self._kept.store.is_shared

    def summary(self, run_id: str) -> RunSummary:
        """Sum up a run.

        Raises:
            RunLogNotFoundError: If there is none.
        """
        found = self._kept.store.summary(run_id)
        if found is None:
            raise RunLogNotFoundError(run_id, self.location)
        return self._kept.with_status(found)

    @contextmanager
    def reading(self, run_id: str) -> Generator["ReadRun"]:
        """Read the log of a run, as far as it is not known.

        Within the block, the log does not change: it grows when it is read again.

        Raises:
            RunLogNotFoundError: If there is no such run.
            RunLogDamagedError: If its records cannot be read.
        """
        with self._lock:
            known = self._known.setdefault(run_id, _Known())
            self._known.move_to_end(run_id)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        with known.lock:
            try:
                self._check_start(run_id, known)
                self._catch_up(run_id, known)
            except BaseException:
                self.forget(run_id)
                raise
            assert known.run_log is not None  # noqa: S101 - it has just been read
            yield ReadRun(known.run_log, known.count)

    def _check_start(self, run_id: str, known: _Known) -> None:
        """Begin anew if another run has the id by now."""
        started = known.view.state.started if known.view.state.count else None
        if started is None:
            return
        summary = self._kept.store.summary(run_id)
        if summary is None or summary.started_at != started.at:
            known.view, known.run_log, known.count = RunLogView(), None, -1

    def _catch_up(self, run_id: str, known: _Known) -> None:
        state, store = known.view.state, self._kept.store
        try:
            for record in store.read(run_id, state.count):
                state.add(record)
                if not state.count % _YIELD_RECORDS:
                    time.sleep(0)  # other requests are answered meanwhile
        except RunLogNotFoundError:
            if (earlier := store.earlier_log(run_id)) is None:
                raise
            earlier.bind(self._kept.loader(run_id))
            known.run_log, known.count = earlier, 0
            return
        except UnknownPathError as error:
            raise RunLogDamagedError(run_id, "its journal", str(error)) from None
        if known.run_log is None or known.count != state.count:
            loader = self._kept.loader(run_id)
            known.run_log = known.view.run_log(run_id, loader)
            known.run_log.bind(loader)
            known.count = state.count

    def has_others(self, owner: Owner, run_id: str) -> bool:
        """Return whether a process has other active runs than one."""
        active = self.index.find(Query(status=PROCESSING, limit=_MOST_ACTIVE)).runs
        return any(
            claim.owner == owner
            for it in active
            if it.run_id != run_id
            for claim in self.ownership(it.run_id).claims
        )

    def forget(self, run_id: str) -> None:
        """Read a run anew the next time."""
        with self._lock:
            self._known.pop(run_id, None)

    def records(self, run_id: str, after: int, most: int) -> list[Record]:
        """Read some records of a run.

        Args:
            run_id: The run.
            after: How many to skip.
            most: How many to return.
        """
        found: Iterator[Record] = self._kept.store.read(run_id, after)
        return list(islice(found, most))

    def ownership(self, run_id: str) -> Ownership:
        """Return which processes have a run."""
        return self._kept.store.state(run_id).ownership

    @property
    def active(self) -> Runs:
        """The active runs of this process."""
        if self._container is None:
            return shared_of_container().active_runs
        # Any container of runs has this provider.
        return cast("Callable[[], Runs]", getattr(self._container, "runs"))()  # noqa: B009

    def delete(self, run_ids: Sequence[str]) -> None:
        """Delete runs, and what the catalog has of them.

        Raises:
            RunUnderWayError: If one is active.
        """
        kept = self._kept
        services = {"run_log_store": kept.store, "catalog": kept.catalog}
        delete_runs(run_ids, services=services, container=self._container)
        for run_id in run_ids:
            self.forget(run_id)
            self.index.remove(run_id)
