"""Runs as tables of pandas, for notebooks."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from runnable.datastore.run_summary import RunSummary
from runnable.datastore.step_logs import StepLog
from runnable.errors import ConfigurationError
from runnable.system.moments import moment_of

if TYPE_CHECKING:
    from pandas import DataFrame


def steps_to_frame(steps: Iterable[StepLog]) -> "DataFrame":
    """Make a table of steps, a row for each attempt.

    Args:
        steps: Such as `all_steps()` of a run log yields.

    Returns:
        Columns `step`, `kind`, `attempt`, `status`, `started` (UTC), `seconds`,
        `message`, and one for each metric, named `metrics.` and its name.

    Raises:
        ConfigurationError: If pandas is not installed.

    Example:
        >>> list(steps_to_frame([]).columns)[:4]
        ['step', 'kind', 'attempt', 'status']
    """
    rows: list[dict[str, object]] = []
    for step in steps:
        for it in step.attempts:
            found = it.user_defined_metrics
            metrics = {name: metric.get_value() for name, metric in found.items()}
            times = _times(it.start_time, it.end_time)
            fields = (step.internal_name, step.step_type, it.attempt_number, it.status)
            rows.append(_row(_STEP, (*fields, *times, it.message), metrics))
    return _frame(_STEP, rows)


def runs_to_frame(runs: Iterable[RunSummary]) -> "DataFrame":
    """Make a table of runs, a row for each.

    Args:
        runs: As `list_runs` lists them.

    Returns:
        Columns `run_id`, `status`, `pipeline`, `tag`, `started` (UTC), `seconds`, and
        one for each short metric, named `metrics.` and its name.

    Raises:
        ConfigurationError: If pandas is not installed.

    Example:
        >>> frame = runs_to_frame([RunSummary("r1", "SUCCESS", metrics={"auc": 0.9})])
        >>> frame.loc[0, "metrics.auc"].item()
        0.9
    """
    rows: list[dict[str, object]] = []
    for it in runs:
        times = _times(it.started_at, it.ended_at)
        fields = (it.run_id, it.status, it.pipeline, it.tag, *times)
        rows.append(_row(_RUN, fields, it.metrics))
    return _frame(_RUN, rows)


_STEP = ("step", "kind", "attempt", "status", "started", "seconds", "message")
_RUN = ("run_id", "status", "pipeline", "tag", "started", "seconds")


def _times(started: str, ended: str) -> tuple[object, object]:
    """Return when something began, and how many seconds it took, as far as known."""
    begin = moment_of(started) if started else None
    end = moment_of(ended) if ended else None
    seconds = (end - begin).total_seconds() if begin and end else None
    return begin, seconds


def _row(
    names: tuple[str, ...], fields: tuple[object, ...], metrics: Mapping[str, object]
) -> dict[str, object]:
    row = dict(zip(names, fields, strict=True))
    return row | {f"metrics.{name}": it for name, it in metrics.items()}


def _frame(names: tuple[str, ...], rows: list[dict[str, object]]) -> "DataFrame":
    try:
        import pandas as pd
    except ImportError as error:
        raise ConfigurationError(
            f"tables need pandas ({error}): pip install 'runnable[pandas]'"
        ) from error
    more = dict.fromkeys(name for row in rows for name in row if name not in names)
    frame = pd.DataFrame(rows, columns=[*names, *more])
    frame["started"] = pd.to_datetime(frame["started"], utc=True)
    return frame
