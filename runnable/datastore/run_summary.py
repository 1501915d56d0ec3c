"""Summaries of runs, for lists."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from pydantic import JsonValue

from runnable import defaults
from runnable.journal import (
    NO_METRICS,
    NO_TAGS,
    Record,
    RunDeleting,
    RunFinished,
    RunStarted,
    RunState,
    sums_up,
)
from runnable.system.moments import aware, moment_of

DAMAGED = "DAMAGED"
"""The status of a run whose records cannot be read."""
CRASHED = "CRASHED"
"""The status of a run that has not ended, but whose process is gone."""
STATUSES = (
    defaults.CREATED,
    defaults.PROCESSING,
    defaults.SUCCESS,
    defaults.FAIL,
    defaults.CANCELLED,
    CRASHED,
    DAMAGED,
)


class RunSummary(NamedTuple):
    """One run, in a list."""

    run_id: str
    status: str
    """As in the run log; `DAMAGED` if that cannot be read, `CRASHED` if its process
    is gone."""
    tag: str = ""
    pipeline: str = ""
    """The name of the pipeline, if it has one."""
    started_at: str = ""
    """UTC, with the offset; year first; empty if that is not known."""
    ended_at: str = ""
    problem: str = ""
    """Why it cannot be read."""
    metrics: Mapping[str, JsonValue] = NO_METRICS
    """Its short metrics, if it has ended."""
    tags: Mapping[str, str] = NO_TAGS

    @property
    def labels(self) -> str:
        """Its tag, and its tags by key, in one text."""
        by_key = (f"{key}={value}" for key, value in self.tags.items())
        return ", ".join([*filter(None, [self.tag]), *by_key])

    @property
    def started(self) -> datetime | None:
        """When it began."""
        return moment_of(self.started_at) if self.started_at else None


class Wanted(NamedTuple):
    """Filter for a list of runs; by default all of them."""

    status: str = ""
    tag: str = ""
    pipeline: str = ""
    since: datetime | None = None
    """The earliest beginning; local time if it has no offset."""
    until: datetime | None = None
    """The latest beginning; local time if it has no offset."""
    tags: Mapping[str, str] = NO_TAGS
    """Tags that it has, with these values."""

    def has(self, run: RunSummary) -> bool:
        """Return True if a run is wanted.

        Example:
            >>> Wanted(status="FAIL").has(RunSummary("r1", "SUCCESS"))
            False
        """
        wanted = (self.status, self.tag, self.pipeline)
        if any(wanted):
            own = (run.status, run.tag, run.pipeline)
            if any(it and it != has for it, has in zip(wanted, own, strict=True)):
                return False
        if not self.tags.items() <= run.tags.items():
            return False
        if self.since is None and self.until is None:
            return True
        began = run.started
        if self.since is not None and (began is None or began < aware(self.since)):
            return False
        return self.until is None or (began is not None and began <= aware(self.until))


def summary_of(run_id: str, first: Record | None, last: Record | None) -> RunSummary:
    """Summarise a run by its first and its last record.

    Args:
        run_id: The id of the run.
        first: None if there is none yet, or the last one sums up the run.
        last: The same one, if there is no other.
    """
    if sums_up(last):
        moment_of(last.started_at)  # a ValueError means that it is damaged
        return RunSummary(
            run_id,
            last.status,
            last.tag,
            last.pipeline,
            last.started_at,
            last.at,
            metrics=last.metrics,
            tags=last.tags,
        )
    if not isinstance(first, RunStarted):
        return RunSummary(run_id, defaults.CREATED)
    if first.at:
        moment_of(first.at)  # a ValueError means that it is damaged
    state = RunState([first])
    ended = last if isinstance(last, RunFinished) else None
    if isinstance(last, RunFinished | RunDeleting):
        state.add(last)
    deleting = state.ownership.is_deleting
    return RunSummary(
        run_id,
        DAMAGED if deleting else state.status,
        first.tag,
        first.pipeline,
        first.at,
        ended.at if ended else "",
        "its deletion started and did not finish" if deleting else "",
        ended.metrics if ended else NO_METRICS,
        first.tags,
    )


def select(found: Iterable[RunSummary | None], wanted: Wanted) -> list[RunSummary]:
    """Return the wanted ones of what was found, the latest first.

    Args:
        found: Summaries; None for a run that is gone.
        wanted: Which ones.
    """
    runs = [run for run in found if run is not None and wanted.has(run)]
    return sorted(runs, key=_age, reverse=True)


def _age(run: RunSummary) -> tuple[float, str]:
    began = run.started
    return began.timestamp() if began else 0.0, run.run_id
