"""Comparison of two runs."""

import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from runnable.datastore import RunLog, StepLog
from runnable.graph import TERMINAL_NAMES
from runnable.report.provenance import cached_from, packages_of, provenance

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
    sides = [dict(_facts(run_log)) for run_log in (first, second)]
    names = dict.fromkeys(itertools.chain(*sides))
    return [
        Difference(name, *values)
        for name in names
        if (values := [side.get(name, _ABSENT) for side in sides])
        and repr(values[0]) != repr(values[1])
    ]


def _facts(run_log: RunLog) -> Iterator[tuple[str, object]]:
    yield "status", run_log.status
    yield "tag", run_log.tag
    yield "pipeline", run_log.dag_hash or ""
    metrics = run_log.metrics()
    for name, parameter in run_log.parameters.items():
        kind = "metric" if name in metrics else "parameter"
        yield f"{kind} {name}", parameter.value
    for step in run_log.all_steps():
        if step.step_type in TERMINAL_NAMES:
            continue
        cached = f", cached, from {source}" if (source := cached_from(step)) else ""
        yield f"step {step.internal_name}", f"{step.status}{cached}"
        yield from _of_step(step)
    yield from provenance(run_log).items()
    for name, version in packages_of(run_log).items():
        yield f"package {name}", version
    for kind, service in run_log.run_config.items():
        if isinstance(service, Mapping) and "service_name" in service:
            yield kind, {k: v for k, v in service.items() if k != "service_type"}


def _of_step(step: StepLog) -> Iterator[tuple[str, object]]:
    if not step.attempts:
        return
    yield f"attempts of {step.internal_name}", len(step.attempts)
    for file in step.data_catalog:
        yield f"file {file.name} ({file.stage})", file.data_hash[:12]
