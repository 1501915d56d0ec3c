"""The runs that pages show: read from the store, and kept for a while.

Theory of operation. What was read of a run is kept with the number of its records, and
only newer records are read again; so a page of a run that is active costs what has
happened since the last one. A few runs are kept, the latest that were looked at.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import cast

from runnable.concurrency import Runs
from runnable.datastore import (
    CatalogLoader,
    Record,
    RunLog,
    RunLogView,
    RunSummary,
)
from runnable.datastore.errors import RunLogDamagedError, RunLogNotFoundError
from runnable.engine import shared_of_container
from runnable.journal import Ownership, UnknownPathError
from runnable.sdk.kept_runs import KeptRuns, open_runs
from runnable.sdk.runs import delete_runs
from runnable.sdk.services import AnyRunContainer
from runnable.ui.index import RunIndex

_KEPT = 4
_YIELD_RECORDS = 128


@dataclass(slots=True, eq=False)
class _Known:
    """What was read of one run."""

    view: RunLogView = field(default_factory=RunLogView)
    run_log: RunLog | None = None
    count: int = -1
    """How many records the run log was made of."""
    lock: threading.Lock = field(default_factory=threading.Lock)


class Library:
    """All runs of one store.

    Args:
        kept: The store and the catalog.
        container: Has active runs; those of other processes cannot be cancelled here.
        configuration_file: What they were opened by; None if it was not a file.
    """

    def __init__(
        self,
        kept: KeptRuns,
        container: AnyRunContainer | None,
        configuration_file: str | None,
    ) -> None:
        self._kept = kept
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
        kept, _ = open_runs(configuration_file, services, container)
        is_by_file = not services and container is None
        return cls(kept, container, (configuration_file or "") if is_by_file else None)

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

    def run_log(self, run_id: str) -> RunLog:
        """Read the log of a run, as far as it is not known.

        Raises:
            RunLogNotFoundError: If there is no such run.
            RunLogDamagedError: If its records cannot be read.
        """
        return self._read(run_id)[0]

    def count(self, run_id: str) -> int:
        """Return how many records a run has, as of when its log was read last."""
        with self._lock:
            known = self._known.get(run_id)
        return max(known.count, 0) if known is not None else 0

    def _read(self, run_id: str) -> tuple[RunLog, int]:
        with self._lock:
            known = self._known.setdefault(run_id, _Known())
            self._known.move_to_end(run_id)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        with known.lock:
            try:
                self._catch_up(run_id, known)
            except BaseException:
                self.forget(run_id)
                raise
            assert known.run_log is not None  # noqa: S101 - it has just been read
            return known.run_log, known.count

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
            known.run_log, known.count = earlier, 0
            return
        except UnknownPathError as error:
            raise RunLogDamagedError(run_id, "its journal", str(error)) from None
        if known.run_log is None or known.count != state.count:
            loader = CatalogLoader(run_id, self._kept.catalog, self._kept.pickler, {})
            known.run_log = known.view.run_log(run_id, loader)
            known.run_log.bind(loader)
            known.count = state.count

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
