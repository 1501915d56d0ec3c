"""A short, readable summary of a run."""

from collections.abc import Iterator, Mapping
from itertools import islice

from runnable.datastore import ObjectParameter, RunLog, StepLog
from runnable.defaults import FAIL
from runnable.graph import TERMINAL_NAMES
from runnable.report.provenance import cached_from, provenance
from runnable.system.moments import local_text

_MOST_LINES = 60


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
    messages = (
        f"  {step.internal_name}: {_message(step)}"
        for step in run_log.all_steps()
        if _message(step)
    )
    lines += islice(messages, _MOST_LINES)
    if run_log.job is not None and (why := error_of(run_log)):
        lines.append(f"  {why}")
    lines += _table("Steps", list(_steps(run_log)))
    metrics = run_log.metrics()
    lines += _table(
        "Metrics", [(name, shown_metric(it)) for name, it in metrics.items()]
    )
    lines += _table("Artifacts", _artifacts(run_log))
    lines += _table("Ran with", list(provenance(run_log).items()))
    lines += _table("Where things are", _locations(run_log))
    return "\n".join(lines)


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
    failed = [step for step in run_log.all_steps() if step.status == FAIL]

    messages = [f"{step.internal_name}: {_message(step)}" for step in failed]
    return messages[-1] if messages else "it ended at its fail node"


def _message(step: StepLog) -> str:
    return step.attempts[-1].message if step.attempts else step.message


def _steps(run_log: RunLog) -> Iterator[tuple[str, str]]:
    """Yield a line for each step; a long list of branches is counted."""
    # The ends of graphs are there for programs.
    shown = (
        step for step in run_log.all_steps() if step.step_type not in TERMINAL_NAMES
    )
    for number, step in enumerate(shown):
        if number >= _MOST_LINES:
            yield "...", f"more than {_MOST_LINES} steps; see the run log"
            return
        text = f"{step.status:8} {_seconds(step)}"
        if len(step.attempts) > 1:
            text += f"  {len(step.attempts)} attempts"
        if cached := cached_from(step):
            text += f"  cached, from {cached}"
        if step.branches:
            text += f"  {len(step.branches)} branch(es)"
        yield step.internal_name, text


def _seconds(step: StepLog) -> str:
    total = sum(attempt.duration.total_seconds() for attempt in step.attempts)
    latest = step.attempts[-1] if step.attempts else None
    if latest is not None and latest.start_time and not latest.end_time:
        since = local_text(latest.start_time)
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
        (file.name, file.catalog_relative_path)
        for step in run_log.all_steps()
        for file in step.data_catalog
        if file.stage == "put"
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
