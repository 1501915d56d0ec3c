"""The entries of run logs, to go through many steps without a model of each.

A model of a step costs twenty times what its entry does; who counts ten thousand steps,
or looks for those that failed, needs no models.
"""

from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

from runnable.datastore.log_entries import AttemptEntry, BranchEntry, StepEntry
from runnable.datastore.packed_logs import PackedSteps
from runnable.datastore.step_logs import BranchLog, StepLog, steps_in
from runnable.defaults import SUCCESS


def entries_of(steps: Mapping[str, StepLog]) -> Iterator[StepEntry]:
    """Yield an entry for each of some steps.

    Args:
        steps: The steps of a run log, or of a branch in it.

    Yields:
        Entries, in the same order; parameters are not in them, if the log had models.
    """
    if isinstance(steps, PackedSteps):
        yield from map(StepEntry.unpacked, steps.entries())
    else:
        yield from map(_entry_of, steps.values())


def branches_of(step: StepEntry) -> Iterator[BranchEntry]:
    """Yield an entry for each branch of a step."""
    return map(BranchEntry.unpacked, step.branches.values())


def steps_of(branch: BranchEntry) -> Iterator[StepEntry]:
    """Yield an entry for each step of a branch."""
    return map(StepEntry.unpacked, branch.steps.values())


def all_entries(steps: Iterable[StepEntry]) -> Iterator[StepEntry]:
    """Yield steps, and after each those in its branches.

    Args:
        steps: Entries of steps.
    """
    for step in steps:
        yield step
        for branch in branches_of(step):
            yield from all_entries(steps_of(branch))


def shown_branches(step: StepEntry, most: int) -> list[BranchEntry]:
    """Return the branches of a step, or of very many, those to look at.

    Args:
        step: The step.
        most: Of more than that, those that did not succeed are chosen, and one other.
    """
    branches = list(branches_of(step))
    if len(branches) <= most:
        return branches
    bad = [it for it in branches if it.status != SUCCESS]
    good = [it for it in branches if it.status == SUCCESS]
    return [*bad, *good[:1]][:most]


def metrics_of(steps: Mapping[str, StepLog]) -> Iterator[tuple[str, JsonValue]]:
    """Yield the name and the value of each metric of some steps, in their order.

    Args:
        steps: The steps of a run log, or of a branch in it.
    """
    if isinstance(steps, PackedSteps):
        entries = all_entries(entries_of(steps))
        for it in (it for step in entries for it in step.attempts):
            yield from steps.metrics(it)
        return
    attempts = (it for log in steps_in(steps) for it in log.attempts)
    for attempt in attempts:
        for name, metric in attempt.user_defined_metrics.items():
            if metric.kind == "metric":
                yield name, metric.get_value()


def _entry_of(log: StepLog) -> StepEntry:
    attempts = [
        AttemptEntry(
            it.attempt_number,
            it.start_time,
            0,
            it.end_time,
            it.status,
            it.message,
            it.traceback,
            it.cached_from,
        )
        for it in log.attempts
    ]
    return StepEntry(
        *(log.name, log.internal_name, log.step_type, log.status, log.message),
        *(log.traceback, attempts),
        [it.model_dump() for it in log.data_catalog],
        {path: _branch_of(it) for path, it in log.branches.items()},
    )


def _branch_of(log: BranchLog) -> BranchEntry:
    steps = {it.path: it for it in entries_of(log.steps)}
    return BranchEntry(log.internal_name, log.status, {}, {**steps})
