"""A short, readable summary of a run."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from runnable.datastore import ObjectParameter, RunLog
from runnable.datastore.log_entries import StepEntry
from runnable.datastore.outlines import (
    all_entries,
    branches_of,
    entries_of,
    shown_branches,
    steps_of,
)
from runnable.defaults import CANCELLED, FAIL, SUCCESS
from runnable.graph import TERMINAL_NAMES
from runnable.report.failures import failures
from runnable.report.provenance import provenance
from runnable.system.moments import local_text

_MOST_LINES = 60
_MOST_FAILED = 5
_MOST_BRANCHES = 10


def summarise(run_log: RunLog) -> str:
    """Describe a run in a few lines: its outcome, and where its results are.

    Args:
        run_log: The log of the run.

    Returns:
        Lines for people, with status, steps, metrics, and the locations of the run log
        and of the artifacts.

    Example:
        >>> print(summarise(RunLog(run_id="r1", status="SUCCESS")))
        Run r1: SUCCESS
    """
    lines = [f"Run {run_log.run_id}: {run_log.status}"]
    lines += _failed(run_log)
    lines += _table("Tags", list(run_log.tags.items()))
    lines += _table("Notes", [*run_log.notes.items(), *_notes(run_log)])
    lines += _table("Steps", list(_steps(run_log)))
    lines += _table(
        "Metrics", [(name, shown_metric(it)) for name, it in run_log.metrics.items()]
    )
    lines += _table("Artifacts", _artifacts(run_log))
    lines += _table("Ran with", list(provenance(run_log).items()))
    lines += _table("Where things are", _locations(run_log))
    if run_log.status in {FAIL, CANCELLED} and run_log.job is None:
        lines += ["Resume it:", f"  runnable retry {run_log.run_id}"]
    return "\n".join(lines)


def _failed(run_log: RunLog) -> Iterator[str]:
    """Yield a block for each step that has failed by itself."""
    found = failures(run_log)
    if found:
        yield "Failed:"
    for it in found[:_MOST_FAILED]:
        tried = f" (attempt {it.attempts})" if it.attempts > 1 else ""
        first, *rest = it.message.strip().splitlines() or ["no reason was recorded"]
        yield f"  {it.path}{tried}: {first}"
        yield from (f"    {line}" for line in rest[:_MOST_LINES])
        if it.location:
            yield f"    at {it.location}"
    if more := len(found[_MOST_FAILED:]):
        yield f"  and {more:,} more"
    if not found and run_log.status == FAIL:
        yield "Failed:"
        yield "  it ended at its fail node"


def _notes(run_log: RunLog) -> Iterator[tuple[str, str]]:
    """Yield what steps say that have succeeded, such as what two branches have set."""
    noted = (
        (step.path, step.attempts[-1].message if step.attempts else step.message)
        for step in all_entries(entries_of(run_log.steps))
        if step.status != FAIL
    )
    yield from islice(((path, text) for path, text in noted if text), _MOST_LINES)


def error_of(run_log: RunLog) -> str:
    """Return why a run has failed: the message of the last step that has one.

    Args:
        run_log: The log of the run.

    Returns:
        One line or more; empty if it has not failed.

    Example:
        >>> error_of(RunLog(run_id="r1", status="SUCCESS"))
        ''
    """
    if run_log.status != FAIL:
        return ""
    if run_log.job is not None:
        attempts = run_log.job.attempts
        return attempts[-1].message if attempts else run_log.job.message
    causes = failures(run_log)
    if not causes:
        return "it ended at its fail node"
    return f"{causes[-1].path}: {causes[-1].message}"


def _steps(run_log: RunLog) -> Iterator[tuple[str, str]]:
    """Yield a line for each step; of many branches, those that failed."""
    listed = _listed(entries_of(run_log.steps))
    yield from islice(listed, _MOST_LINES)
    if next(listed, None) is not None:
        yield "...", f"more than {_MOST_LINES} steps; see the run log"


def _listed(steps: Iterable[StepEntry]) -> Iterator[tuple[str, str]]:
    for step in steps:
        if step.step_type in TERMINAL_NAMES:
            continue  # the ends of graphs are there for programs
        yield step.path, _described(step)
        shown = shown_branches(step, _MOST_BRANCHES)
        for branch in shown:
            yield from _listed(steps_of(branch))
        if more := len(step.branches) - len(shown):
            yield f"{step.path}.*", f"{more:,} more branches"


def _described(step: StepEntry) -> str:
    text = f"{step.status:8} {_seconds(step)}"
    if len(step.attempts) > 1:
        text += f"  {len(step.attempts)} attempts"
    if cached := step.attempts[-1].cached_from if step.attempts else "":
        text += f"  cached, from {cached}"
    if step.branches:
        text += f"  {_counted(Counter(it.status for it in branches_of(step)))}"
    return text.rstrip()


def _counted(statuses: Counter[str]) -> str:
    number = statuses.total()
    branches = f"{number:,} branch{'es' if number > 1 else ''}"
    others = [f"{n:,} {it}" for it, n in statuses.items() if it != SUCCESS]
    return f"{branches}, {', '.join(others)}" if others else branches


def _seconds(step: StepEntry) -> str:
    total = sum(it.seconds for it in step.attempts)
    latest = step.attempts[-1] if step.attempts else None
    if latest is not None and latest.start and not latest.end:
        since = local_text(latest.start)
        return f"{total:.2f} s, and since {since}" if total else f"since {since}"
    return f"{total:.2f} s" if step.attempts else " " * 6


def shown_metric(value: object) -> str:
    """Return a metric as people read it.

    Example:
        >>> shown_metric(0.123456), shown_metric(12)
        ('0.1235', '12')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _artifacts(run_log: RunLog) -> list[tuple[str, str]]:
    files = [
        (str(file["name"]), str(file["catalog_relative_path"]))
        for step in all_entries(entries_of(run_log.steps))
        for file in step.files
        if file["stage"] == "put"
    ]
    objects = [
        (name, f"{run_log.run_id}/{parameter.key}")
        for name, parameter in run_log.parameters.items()
        if isinstance(parameter, ObjectParameter) and parameter.sha256
    ]
    return [*files, *objects]


def _locations(run_log: RunLog) -> list[tuple[str, str]]:
    config = run_log.run_config
    locations: list[tuple[str, str]] = []
    for label, kind, option, within in (
        ("run log", "run_log_store", "log_folder", "/{}.json"),
        ("run log", "run_log_store", "location", ""),
        ("run log", "run_log_store", "bucket", "/{}"),
        ("catalog", "catalog", "catalog_location", "/{}/"),
        ("catalog", "catalog", "bucket", "/{}"),
    ):
        service = config.get(kind)
        if isinstance(service, Mapping) and option in service:
            location = f"{service[option]}{within.format(run_log.run_id)}"
            locations.append((label, location))
    return locations


def _table(title: str, rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    width = max(len(name) for name, _ in rows)
    return [f"{title}:", *(f"  {name:{width}}  {value}" for name, value in rows)]
