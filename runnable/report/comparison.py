"""Comparison of two runs."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from runnable.datastore import RunLog
from runnable.datastore.log_entries import StepEntry
from runnable.datastore.outlines import all_entries, entries_of
from runnable.graph import TERMINAL_NAMES
from runnable.report.provenance import packages_of, provenance

_ABSENT = "-"


class Difference(NamedTuple):
    """Something that is not the same in two runs."""

    what: str
    """Such as `parameter x`, `metric score`, `step fit`."""
    first: object
    second: object


def compare(first: RunLog, second: RunLog) -> list[Difference]:
    """Find what differs between two runs.

    Args:
        first: A run log.
        second: Another one.

    Returns:
        Status, parameters, metrics, steps, services, and the versions of the code, of
        Python and of packages, as far as they differ. What a run does not have is `-`.

    Example:
        >>> runs = [RunLog(run_id="r1", status="FAIL"),
        ...         RunLog(run_id="r2", status="SUCCESS")]
        >>> compare(*runs)
        [Difference(what='status', first='FAIL', second='SUCCESS')]
    """
    rows = rows_that_differ([facts_of(first), facts_of(second)])
    return [Difference(name, *values) for name, values in rows]


def rows_that_differ(
    sides: Sequence[Mapping[str, object]],
) -> list[tuple[str, list[object]]]:
    """Find what is not the same in all of some runs.

    Args:
        sides: What `facts_of` returns, of each run.

    Returns:
        Names, and the value in each run; `-` where there is none.

    Example:
        >>> rows_that_differ([{"a": 1, "b": 2}, {"a": 1}])
        [('b', [2, '-'])]
    """
    names = dict.fromkeys(itertools.chain(*sides))
    rows = [(name, [side.get(name, _ABSENT) for side in sides]) for name in names]
    return [(name, values) for name, values in rows if len(set(map(repr, values))) > 1]


def facts_of(run_log: RunLog) -> dict[str, object]:
    """Return what runs are compared by.

    Args:
        run_log: The log of a run.
    """
    return dict(_facts(run_log))


def _facts(run_log: RunLog) -> Iterator[tuple[str, object]]:
    yield "status", run_log.status
    yield "tag", run_log.tag
    yield from ((f"tag {key}", value) for key, value in run_log.tags.items())
    yield "pipeline", run_log.dag_hash or ""
    metrics = run_log.metrics
    for name, parameter in run_log.parameters.items():
        kind = "metric" if name in metrics else "parameter"
        yield f"{kind} {name}", parameter.value
    for step in all_entries(entries_of(run_log.steps)):
        if step.step_type in TERMINAL_NAMES:
            continue
        source = step.attempts[-1].cached_from if step.attempts else ""
        cached = f", cached, from {source.partition('/')[0]}" if source else ""
        yield f"step {step.path}", f"{step.status}{cached}"
        yield from _of_step(step)
    yield from provenance(run_log).items()
    for name, version in packages_of(run_log).items():
        yield f"package {name}", version
    for kind, service in run_log.run_config.items():
        if isinstance(service, Mapping) and "service_name" in service:
            yield kind, {k: v for k, v in service.items() if k != "service_type"}


def _of_step(step: StepEntry) -> Iterator[tuple[str, object]]:
    if not step.attempts:
        return
    yield f"attempts of {step.path}", len(step.attempts)
    for file in step.files:
        yield f"file {file['name']} ({file['stage']})", file["data_hash"][:12]
