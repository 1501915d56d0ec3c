"""Read the logs of runs, list them, and delete them."""

import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
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
    Wanted,
)
from runnable.datastore.errors import (
    AmbiguousRunIdError,
    RunLogContinuedError,
    RunLogDamagedError,
    RunLogNotFoundError,
    RunsNotDeletedError,
    RunUnderWayError,
)
from runnable.datastore.run_summary import CRASHED, STATUSES
from runnable.engine import deletion_record, other_owner, owner_has_crashed
from runnable.errors import DefinitionError
from runnable.journal import UnknownPathError
from runnable.pickler import BasePickler
from runnable.scope import clock
from runnable.scope.injection import Provide, inject
from runnable.scope.options import Options
from runnable.scope.service import Service
from runnable.sdk.services import (
    PORTS,
    AnyRunContainer,
    close_all,
    make_services,
    resolve_settings,
)
from runnable.system.moments import moment_of, text_of

LATEST = "latest"
"""Stands for the run that began last, unless a run has this id."""
_NEEDED = {kind: PORTS[kind] for kind in ("run_log_store", "catalog", "pickler")}


def get_run_log(
    run_id: str,
    configuration_file: str | None = None,
    *,
    services: Mapping[str, object] | None = None,
    container: AnyRunContainer | None = None,
) -> RunLog:
    """Read the log of a run, finished or not.

    Args:
        run_id: The id of the run; or how it begins, if no other one does; or `latest`.
        configuration_file: Configures where run logs and objects are; found as for
            `Pipeline.execute` if None.
        services: As for `Pipeline.execute`.
        container: As for `Pipeline.execute`.

    Returns:
        The run log, which also loads objects and reads files: see its `artifact()`,
        `files()` and `execution_logs()`.

    Raises:
        RunLogNotFoundError: If there is no such run where the configuration says.
        AmbiguousRunIdError: If several runs have an id that begins like this.
        RunLogDamagedError: If a record of the run was changed.
        ConfigurationError: If the configuration is wrong.

    Example:
        >>> from runnable import Pipeline, Stub
        >>> from runnable.datastore.memory import MemoryRunLogStore
        >>> services = {"run_log_store": MemoryRunLogStore()}
        >>> _ = Pipeline(steps=[Stub(name="s")]).execute(
        ...     run_id="r1", services={**services, "catalog": {"type": "do-nothing"}}
        ... )
        >>> get_run_log("r1", services=services).status
        'SUCCESS'
    """
    kept, owned = _open(configuration_file, services, container)
    try:
        try:
            return kept.run_log(run_id)
        except RunLogNotFoundError:
            return kept.run_log(kept.find(run_id))
    finally:
        # The catalog and the pickler serve the run log, which loads its objects later.
        close_all(service for service in owned if service is kept.store)


def find_run_id(
    text: str,
    configuration_file: str | None = None,
    *,
    services: Mapping[str, object] | None = None,
    container: AnyRunContainer | None = None,
) -> str:
    """Find the run that somebody means.

    Args:
        text: The id of a run; or how it begins, if no other one does; or `latest`.
        configuration_file: As for `get_run_log`.
        services: As for `Pipeline.execute`.
        container: As for `Pipeline.execute`.

    Returns:
        Its id.

    Raises:
        RunLogNotFoundError: If there is no such run.
        AmbiguousRunIdError: If several runs have an id that begins like this.
        ConfigurationError: If the configuration is wrong.
    """
    kept, owned = _open(configuration_file, services, container)
    try:
        return kept.find(text)
    finally:
        close_all(owned)


def has_crashed(run_id: str, configuration_file: str | None = None) -> bool:
    """Return True if a run has not ended, but its process is gone; it can be resumed.

    Args:
        run_id: The id of the run.
        configuration_file: As for `get_run_log`.
    """
    kept, owned = _open(configuration_file, None, None)
    try:
        return kept.has_crashed(run_id)
    finally:
        close_all(owned)


def list_runs(
    configuration_file: str | None = None,
    *,
    services: Mapping[str, object] | None = None,
    container: AnyRunContainer | None = None,
    status: str = "",
    tag: str = "",
    pipeline: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[RunSummary]:
    """List runs, the latest first.

    Args:
        configuration_file: As for `get_run_log`.
        services: As for `Pipeline.execute`.
        container: As for `Pipeline.execute`.
        status: Only runs of this status, such as `FAIL`.
        tag: Only runs of this tag.
        pipeline: Only runs of a pipeline of this name.
        since: Only runs that began then or later; without an offset, it is
            local time.
        until: Only runs that began then or earlier.

    Returns:
        What is known of each. One that cannot be read has the status `DAMAGED`, one
        that has not ended, but whose process is gone, `CRASHED`.

    Raises:
        ConfigurationError: If the configuration is wrong.
        DefinitionError: If no run can have this status.

    Example:
        >>> from runnable import Pipeline, Stub
        >>> from runnable.datastore.memory import MemoryRunLogStore
        >>> services = {"run_log_store": MemoryRunLogStore(),
        ...             "catalog": {"type": "do-nothing"}}
        >>> for run_id in ("r1", "r2"):
        ...     _ = Pipeline(steps=[Stub(name="s")]).execute(
        ...         run_id=run_id, tag=f"of {run_id}", services=services)
        >>> [run.run_id for run in list_runs(services=services, tag="of r2")]
        ['r2']
    """
    if status and status not in STATUSES:
        known = ", ".join(STATUSES)
        raise DefinitionError(f"no run has the status {status!r}; there are {known}")
    kept, owned = _open(configuration_file, services, container)
    try:
        recorded = defaults.PROCESSING if status == CRASHED else status
        wanted = Wanted(recorded, tag, pipeline, since, until)
        found = map(kept.with_status, kept.store.list_runs(wanted))
        return [it for it in found if not status or it.status == status]
    finally:
        close_all(owned)


def delete_runs(
    run_ids: Sequence[str] = (),
    configuration_file: str | None = None,
    *,
    services: Mapping[str, object] | None = None,
    container: AnyRunContainer | None = None,
    older_than: timedelta | None = None,
    keep: int | None = None,
    dry_run: bool = False,
) -> list[str]:
    """Delete the logs of runs and everything that the catalog keeps of them.

    Args:
        run_ids: Runs to delete.
        configuration_file: As for `get_run_log`.
        services: As for `Pipeline.execute`.
        container: As for `Pipeline.execute`.
        older_than: Delete also runs that began longer ago than this.
        keep: Delete also all runs but this many, the latest.
        dry_run: Delete nothing, and only return what would be deleted.

    Returns:
        The ids of the runs that were deleted. Of those chosen by age or number, runs
        that are active, or cannot be read, stay.

    Raises:
        RunLogNotFoundError: If there is no run of a given id.
        RunUnderWayError: If a run of a given id is active.
        RunsNotDeletedError: If some could not be deleted; all others are.
        ConfigurationError: If the configuration is wrong.
    """
    if isinstance(run_ids, str):
        run_ids = [run_ids]
    if keep is not None and keep < 0:
        raise DefinitionError(f"keep={keep}: it is how many runs stay, 0 or more")
    kept, owned = _open(configuration_file, services, container)
    try:
        chosen = {run_id: kept.look(run_id) for run_id in run_ids}
        for run_id, found in chosen.items():
            if found.under_way:
                raise RunUnderWayError(run_id)
        old: dict[str, _Found] = {}
        if older_than is not None or keep is not None:
            old = kept.old(older_than, keep)
        if dry_run:
            return list(chosen | old)
        return _delete_all(kept, chosen, old)
    finally:
        close_all(owned)


def _delete_all(
    kept: "_Kept", chosen: "Mapping[str, _Found]", old: "Mapping[str, _Found]"
) -> list[str]:
    """Delete runs; one that cannot be deleted keeps no other."""
    deleted: list[str] = []
    problems: dict[str, Exception] = {}
    for run_id, found in {**chosen, **old}.items():
        delete = kept.delete if run_id in chosen else kept.delete_unless_used
        try:
            if delete(run_id, found):
                deleted.append(run_id)
        except Exception as problem:  # noqa: BLE001 - raised when all others are gone
            problems[run_id] = problem
    if len(problems) == 1 and not deleted:
        raise next(iter(problems.values()))
    if problems:
        raise RunsNotDeletedError(deleted, problems) from next(iter(problems.values()))
    return deleted


def _old(
    runs: Sequence[RunSummary], older_than: timedelta | None, keep: int | None
) -> list[str]:
    readable = [run for run in runs if run.started is not None]
    beyond = readable[keep:] if keep is not None else []
    if older_than is not None:
        limit = moment_of(text_of(clock.seconds())) - older_than
        beyond += [run for run in readable if run.started and run.started < limit]
    return [run.run_id for run in beyond]


class _Found(NamedTuple):
    """Facts about a run that is to be deleted."""

    under_way: bool
    """Whether a process runs it."""
    seen: int | None
    """How many records it has; None if they cannot be read, or it has none."""
    is_damaged: bool = False


class _Kept(NamedTuple):
    """The store and catalog that hold runs."""

    store: BaseRunLogStore
    catalog: BaseCatalog
    pickler: BasePickler

    def run_log(self, run_id: str) -> RunLog:
        """Read the log of a run, so that it reads objects and files as well."""
        loader = CatalogLoader(run_id, self.catalog, self.pickler, {})
        run_log = self.store.get_run_log_by_id(run_id, full=True, loader=loader)
        run_log.bind(loader)
        return run_log

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

    def old(self, older_than: timedelta | None, keep: int | None) -> dict[str, _Found]:
        """Find runs by age and number, of those that can be read and deleted."""
        old = _old(self.store.list_runs(), older_than, keep)
        found: dict[str, _Found] = {}
        for run_id in old:
            with contextlib.suppress(RunLogNotFoundError):  # just deleted
                found[run_id] = self.look(run_id)
        return {
            run_id: it
            for run_id, it in found.items()
            if not (it.under_way or it.is_damaged)
        }

    def delete(self, run_id: str, found: _Found) -> bool:
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

    def delete_unless_used(self, run_id: str, found: _Found) -> bool:
        """Delete a run that was not named by its id; return True if it was deleted."""
        try:
            return self.delete(run_id, found)
        except (RunUnderWayError, RunLogNotFoundError):
            return False  # others were faster

    def look(self, run_id: str) -> _Found:
        """Read what there is of a run."""
        if heartbeats_of_container().has(self.store.key(run_id)):
            return _Found(under_way=True, seen=None)
        state = RunState()
        try:
            for record in self.store.read(run_id):
                state.add(record)
        except (RunLogDamagedError, UnknownPathError):
            # The records before the damage name its owner.
            active = other_owner(state.ownership) is not None
            return _Found(active, None, is_damaged=True)
        except RunLogNotFoundError:
            if run_id in self.store.list_run_ids():
                return _Found(under_way=False, seen=None)  # of version 0.50
            raise
        return _Found(other_owner(state.ownership) is not None, state.count)


def _open(
    configuration_file: str | None,
    services: Mapping[str, object] | None,
    container: AnyRunContainer | None,
) -> tuple[_Kept, list[Service]]:
    options = Options(
        configuration_file=configuration_file or "", services=services or {}
    )
    resolve = container.settings(container) if container else resolve_settings()
    made, owned = make_services(resolve(options), _NEEDED)
    kept = _Kept(
        cast("BaseRunLogStore", made["run_log_store"]),
        cast("BaseCatalog", made["catalog"]),
        cast("BasePickler", made["pickler"]),
    )
    return kept, owned


def read_state(options: Options, container: AnyRunContainer | None) -> RunState | None:
    """Read the state of a run; None if there is no such run.

    Args:
        options: Its id, and its configuration.
        container: As for `Pipeline.execute`.
    """
    kept, owned = _open(options.configuration_file, options.services, container)
    try:
        return kept.store.state(options.run_id)
    except RunLogNotFoundError:
        return None
    finally:
        close_all(owned)


@inject
def heartbeats_of_container(
    *, heartbeats: Heartbeats = Provide["heartbeats"]
) -> Heartbeats:
    """Return what knows the active runs of this process."""
    return heartbeats
