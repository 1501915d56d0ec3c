"""Read the logs of runs, list them, and delete them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from runnable import defaults
from runnable.datastore import RunLog, RunState, RunSummary, Wanted
from runnable.datastore.errors import (
    RunLogNotFoundError,
    RunsNotDeletedError,
    RunUnderWayError,
)
from runnable.datastore.run_summary import CRASHED, STATUSES
from runnable.errors import DefinitionError
from runnable.scope.options import Options
from runnable.sdk.kept_runs import FoundRun, KeptRuns, open_runs
from runnable.sdk.services import AnyRunContainer, close_all


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
    kept, owned = open_runs(configuration_file, services, container)
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
    kept, owned = open_runs(configuration_file, services, container)
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
    kept, owned = open_runs(configuration_file, None, None)
    try:
        return kept.has_crashed(run_id)
    finally:
        close_all(owned)


def list_runs(  # noqa: PLR0913 - filters, by keyword
    configuration_file: str | None = None,
    *,
    services: Mapping[str, object] | None = None,
    container: AnyRunContainer | None = None,
    status: str = "",
    tag: str = "",
    pipeline: str = "",
    since: datetime | None = None,
    until: datetime | None = None,
    tags: Mapping[str, str] | None = None,
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
        tags: Only runs that have these tags, with these values.

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
    kept, owned = open_runs(configuration_file, services, container)
    try:
        recorded = defaults.PROCESSING if status == CRASHED else status
        wanted = Wanted(recorded, tag, pipeline, since, until, tags or {})
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

    Example:
        >>> from runnable import PythonTask
        >>> getfixture("monkeypatch").chdir(getfixture("tmp_path"))
        >>> pipeline = PythonTask(name="s", function=print).as_pipeline()
        >>> for number in range(3):
        ...     _ = pipeline.execute(run_id=f"run {number}")
        <BLANKLINE>
        <BLANKLINE>
        <BLANKLINE>
        >>> sorted(delete_runs(keep=1))
        ['run 0', 'run 1']
    """
    if isinstance(run_ids, str):
        run_ids = [run_ids]
    if keep is not None and keep < 0:
        raise DefinitionError(f"keep={keep}: it is how many runs stay, 0 or more")
    kept, owned = open_runs(configuration_file, services, container)
    try:
        chosen = {run_id: kept.look(run_id) for run_id in run_ids}
        for run_id, found in chosen.items():
            if found.under_way:
                raise RunUnderWayError(run_id)
        old: dict[str, FoundRun] = {}
        if older_than is not None or keep is not None:
            old = kept.old(older_than, keep)
        if dry_run:
            return list(chosen | old)
        return _delete_all(kept, chosen, old)
    finally:
        close_all(owned)


def _delete_all(
    kept: "KeptRuns", chosen: "Mapping[str, FoundRun]", old: "Mapping[str, FoundRun]"
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


def read_state(options: Options, container: AnyRunContainer | None) -> RunState | None:
    """Read the state of a run; None if there is no such run.

    Args:
        options: Its id, and its configuration.
        container: As for `Pipeline.execute`.
    """
    kept, owned = open_runs(options.configuration_file, options.services, container)
    try:
        return kept.store.state(options.run_id)
    except RunLogNotFoundError:
        return None
    finally:
        close_all(owned)
