"""Plain values for the templates of the pages of one run."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from runnable import defaults
from runnable.datastore import RunLog, RunSummary
from runnable.datastore.log_entries import AttemptEntry, StepEntry
from runnable.datastore.outlines import (
    all_entries,
    branches_of,
    entries_of,
    shown_branches,
    steps_of,
)
from runnable.graph import TERMINAL_NAMES
from runnable.report.failures import Failure, failures
from runnable.report.time_scale import duration_text
from runnable.system.moments import local_text, moment_of

_MOST_BRANCHES = 10
_MOST_FAILURES = 5
_MOST_ROWS = 500
_MOST_DIGITS = 8
ATTEMPTS_ON_PAGE = 200


class StepRow(NamedTuple):
    """One step in the tree of steps, or branches that are counted."""

    path: str
    name: str
    depth: int
    kind: str
    status: str
    took: str
    attempts: int
    counts: Sequence[tuple[str, int]] = ()
    """How many of its branches have which status."""


class AttemptRow(NamedTuple):
    """One attempt of a step."""

    path: str
    number: int
    status: str
    began: str
    took: str
    message: str
    cached_from: str


class Overview(NamedTuple):
    """The first page of a run."""

    failures: Sequence[Failure]
    more_failures: int
    counts: Sequence[tuple[str, int]]
    """How many steps have which status."""
    rows: Sequence[StepRow]


def overview(run_log: RunLog) -> Overview:
    """Return what the first page shows.

    Args:
        run_log: The log of the run.
    """
    entries = list(entries_of(run_log.steps))
    found = failures(run_log)
    counted = Counter(
        it.status for it in all_entries(entries) if it.attempts and not _is_end(it)
    )
    rows = list(islice(_rows(entries, 0), _MOST_ROWS + 1))
    if len(rows) > _MOST_ROWS:
        rows[-1] = StepRow(
            "...", "more steps: see the attempts", 0, "branches", "", "", 0
        )
    if run_log.job is not None:
        job = _job_of(run_log)
        counted, rows = Counter([job.status]), [_row(job, 0)]
    shown = found[:_MOST_FAILURES]
    return Overview(shown, len(found) - len(shown), counted.most_common(), rows)


def _job_of(run_log: RunLog) -> StepEntry:
    job = run_log.job
    assert job is not None  # noqa: S101 - the caller has looked
    attempts = [
        AttemptEntry(*(
            it.attempt_number,
            it.start_time,
            0,
            it.end_time,
            it.status,
            it.message,
        ))
        for it in job.attempts
    ]
    return StepEntry("job", "job", "job", job.status, job.message, "", attempts)


def _is_end(step: StepEntry) -> bool:
    return step.step_type in TERMINAL_NAMES


def _rows(steps: Iterable[StepEntry], depth: int) -> Iterator[StepRow]:
    for step in steps:
        if _is_end(step):
            continue
        yield _row(step, depth)
        shown = shown_branches(step, _MOST_BRANCHES)
        for branch in shown:
            name = branch.path.rpartition(".")[2]
            inside = [it for it in steps_of(branch) if not _is_end(it)]
            if len(inside) == 1:
                (first, *rest) = _rows(inside, depth + 1)
                yield first._replace(name=f"{name}: {first.name}")
                yield from rest
                continue
            yield StepRow(branch.path, name, depth + 1, "branch", branch.status, "", 0)
            yield from _rows(inside, depth + 2)
        if more := len(step.branches) - len(shown):
            name = f"{more:,} more branches"
            yield StepRow(f"{step.path}.*", name, depth + 1, "branches", "", "", 0)


def _row(step: StepEntry, depth: int) -> StepRow:
    counts = Counter(it.status for it in branches_of(step))
    seconds = sum(attempt.seconds for attempt in step.attempts)
    is_running = bool(step.attempts) and not step.attempts[-1].end
    took = duration_text(seconds) if step.attempts and not counts else ""
    if is_running:
        took = f"since {local_text(step.attempts[-1].start)[11:]}"
    return StepRow(
        *(step.path, step.name, depth, step.step_type, step.status, took),
        *(len(step.attempts), counts.most_common()),
    )


def attempts(run_log: RunLog, *, text: str = "", status: str = "") -> list[AttemptRow]:
    """List the attempts of all steps, those that failed first.

    Args:
        run_log: The log of the run.
        text: Only steps with this in their path.
        status: Only attempts of this status.
    """
    entries = (
        [_job_of(run_log)]
        if run_log.job is not None
        else all_entries(entries_of(run_log.steps))
    )
    rows = [
        _attempt(step, it)
        for step in entries
        if not _is_end(step) and text in step.path
        for it in step.attempts
        if not status or it.status == status
    ]
    return sorted(rows, key=lambda it: it.status != defaults.FAIL)


def _attempt(step: StepEntry, it: AttemptEntry) -> AttemptRow:
    took = duration_text(it.seconds) if it.start and it.end else ""
    return AttemptRow(
        *(step.path, it.number, it.status, local_text(it.start), took),
        *(it.message, it.cached_from),
    )


def matches(
    run_log: RunLog, rows: Iterable[AttemptRow], text: str, most: int
) -> list[tuple[AttemptRow, int, str]]:
    """Find lines of what attempts have printed.

    Args:
        run_log: The log of the run.
        rows: The attempts.
        text: What is looked for, in any case.
        most: How many lines are wanted.

    Returns:
        The attempt, the number of the line and the line, of each.
    """
    wanted = text.lower()
    found = (
        (row, number, line)
        for row in rows
        for number, line in enumerate(
            run_log.execution_log(row.path, row.number).splitlines(), 1
        )
        if wanted in line.lower()
    )
    return list(islice(found, most))


def page_number(text: str) -> int:
    """Return the number of a page, from 1.

    Args:
        text: As it is in an address, where it may be anything.
    """
    return max(1, int(text)) if text.isdecimal() and len(text) < _MOST_DIGITS else 1


def took(summary: RunSummary) -> str:
    """Return how long a run took; empty if it has not ended."""
    if not summary.started or not summary.ended_at:
        return ""
    seconds = (moment_of(summary.ended_at) - summary.started).total_seconds()
    return duration_text(max(seconds, 0.0))


def flat(value: object, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the values of a nested mapping, with dotted names.

    Args:
        value: A mapping, a list or anything else.
        prefix: The name of the value.
    """
    if isinstance(value, Mapping):
        for name, it in value.items():  # pyright: ignore[reportUnknownVariableType]  # of JSON
            yield from flat(it, f"{prefix}.{name}" if prefix else str(name))  # pyright: ignore[reportUnknownArgumentType]  # likewise
    elif value not in (None, "", [], {}):
        yield prefix, str(value)
