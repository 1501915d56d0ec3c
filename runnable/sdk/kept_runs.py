"""The store and the catalog that hold runs, opened by a configuration."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, cast

from runnable import defaults
from runnable.catalog import BaseCatalog
from runnable.concurrency import Heartbeats
from runnable.datastore import (
    BaseRunLogStore,
    CatalogLoader,
    RunLog,
    RunState,
    RunSummary,
)
from runnable.datastore.errors import (
    AmbiguousRunIdError,
    RunLogContinuedError,
    RunLogDamagedError,
    RunLogNotFoundError,
    RunUnderWayError,
)
from runnable.datastore.run_summary import CRASHED
from runnable.engine import deletion_record, other_owner, owner_has_crashed
from runnable.journal import UnknownPathError
from runnable.pickler import BasePickler
from runnable.scope import clock
from runnable.scope.injection import Provide, inject
from runnable.scope.options import Options
from runnable.scope.service import Service
from runnable.sdk.services import (
    PORTS,
    AnyRunContainer,
    make_services,
    resolve_settings,
)
from runnable.system.moments import moment_of, text_of

LATEST = "latest"
"""Stands for the run that began last, unless a run has this id."""
_NEEDED = {kind: PORTS[kind] for kind in ("run_log_store", "catalog", "pickler")}


class FoundRun(NamedTuple):
    """Facts about a run that is to be deleted."""

    under_way: bool
    """Whether a process runs it."""
    seen: int | None
    """How many records it has; None if they cannot be read, or it has none."""
    is_damaged: bool = False


class KeptRuns(NamedTuple):
    """The store and catalog that hold runs."""

    store: BaseRunLogStore
    catalog: BaseCatalog
    pickler: BasePickler

    def run_log(self, run_id: str) -> RunLog:
        """Read the log of a run, so that it reads objects and files as well."""
        loader = self.loader(run_id)
        run_log = self.store.get_run_log_by_id(run_id, full=True, loader=loader)
        run_log.bind(loader)
        return run_log

    def loader(self, run_id: str) -> CatalogLoader:
        """Return what loads the objects and files of a run."""
        return CatalogLoader(run_id, self.catalog, self.pickler, {})

    def find(self, text: str) -> str:
        """Find the run that somebody means; see `find_run_id`."""
        run_ids = self.store.list_run_ids()
        if text in run_ids:
            return text
        if text == LATEST and run_ids:
            return self.store.list_runs()[0].run_id
        found = [it for it in run_ids if text and it.startswith(text)]
        if not found:
            where = self.store.get_summary().get("Location", "")
            raise RunLogNotFoundError(text, where)
        if len(found) > 1:
            raise AmbiguousRunIdError(text, found)
        return found[0]

    def with_status(self, run: RunSummary) -> RunSummary:
        """Find out whether a run that has not ended has crashed."""
        is_open = run.status == defaults.PROCESSING
        crashed = is_open and self.has_crashed(run.run_id)
        return run._replace(status=CRASHED) if crashed else run

    def has_crashed(self, run_id: str) -> bool:
        """Return True if the owner of a run is gone without having recorded an end."""
        try:
            return owner_has_crashed(self.store.state(run_id).ownership)
        except (RunLogNotFoundError, RunLogDamagedError):
            return False  # just deleted; damaged runs are reported by their readers

    def old(
        self, older_than: timedelta | None, keep: int | None
    ) -> dict[str, FoundRun]:
        """Find runs by age and number, of those that can be read and deleted."""
        old = _old(self.store.list_runs(), older_than, keep)
        found: dict[str, FoundRun] = {}
        for run_id in old:
            with contextlib.suppress(RunLogNotFoundError):  # just deleted
                found[run_id] = self.look(run_id)
        return {
            run_id: it
            for run_id, it in found.items()
            if not (it.under_way or it.is_damaged)
        }

    def delete(self, run_id: str, found: FoundRun) -> bool:
        """Delete a run; it cannot be resumed meanwhile."""
        heartbeats, key = heartbeats_of_container(), self.store.key(run_id)
        if not heartbeats.claim(key):
            raise RunUnderWayError(run_id)
        try:
            if found.seen is not None:
                # Like a resume: of all who claim the run, one succeeds.
                self.store.reopen(run_id, deletion_record(), found.seen).close()
            # The log last: what is left after a failure is listed, and deleted again.
            self.catalog.remove(run_id)
            self.store.remove(run_id)
        except RunLogContinuedError:
            raise RunUnderWayError(run_id) from None
        finally:
            heartbeats.release(key)
        return True

    def delete_unless_used(self, run_id: str, found: FoundRun) -> bool:
        """Delete a run that was not named by its id; return True if it was deleted."""
        try:
            return self.delete(run_id, found)
        except (RunUnderWayError, RunLogNotFoundError):
            return False  # others were faster

    def look(self, run_id: str) -> FoundRun:
        """Read what there is of a run."""
        if heartbeats_of_container().has(self.store.key(run_id)):
            return FoundRun(under_way=True, seen=None)
        state = RunState()
        try:
            for record in self.store.read(run_id):
                state.add(record)
        except (RunLogDamagedError, UnknownPathError):
            # The records before the damage name its owner.
            active = other_owner(state.ownership) is not None
            return FoundRun(active, None, is_damaged=True)
        except RunLogNotFoundError:
            if run_id in self.store.list_run_ids():
                return FoundRun(under_way=False, seen=None)  # of version 0.50
            raise
        return FoundRun(other_owner(state.ownership) is not None, state.count)


def open_runs(
    configuration_file: str | None,
    services: Mapping[str, object] | None,
    container: AnyRunContainer | None,
) -> tuple[KeptRuns, list[Service]]:
    """Open the store and the catalog of a configuration.

    Args:
        configuration_file: As for `get_run_log`.
        services: As for `Pipeline.execute`.
        container: As for `Pipeline.execute`.

    Returns:
        What keeps the runs, and the services that the caller has to close.
    """
    options = Options(
        configuration_file=configuration_file or "", services=services or {}
    )
    resolve = container.settings(container) if container else resolve_settings()
    made, owned = make_services(resolve(options), _NEEDED)
    kept = KeptRuns(
        cast("BaseRunLogStore", made["run_log_store"]),
        cast("BaseCatalog", made["catalog"]),
        cast("BasePickler", made["pickler"]),
    )
    return kept, owned


@inject
def heartbeats_of_container(
    *, heartbeats: Heartbeats = Provide["heartbeats"]
) -> Heartbeats:
    """Return what knows the active runs of this process."""
    return heartbeats


def _old(
    runs: Sequence[RunSummary], older_than: timedelta | None, keep: int | None
) -> list[str]:
    readable = [run for run in runs if run.started is not None]
    beyond = readable[keep:] if keep is not None else []
    if older_than is not None:
        limit = moment_of(text_of(clock.seconds())) - older_than
        beyond += [run for run in readable if run.started and run.started < limit]
    return [run.run_id for run in beyond]
