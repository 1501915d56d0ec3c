"""A short, readable summary of a run."""

from collections.abc import Mapping

from runnable.datastore import ObjectParameter, RunLog, StepAttempt


def summarise(run_log: RunLog) -> str:
    """Say in a few lines how a run went, and where things are.

    Args:
        run_log: The log of the run.

    Returns:
        Lines for people, with status, steps, metrics, and the places of the run log
        and of the artifacts.

    Example:
        >>> print(summarise(RunLog(run_id="r1", status="SUCCESS")))
        Run r1: SUCCESS
    """
    lines = [f"Run {run_log.run_id}: {run_log.status}"]
    lines += [
        f"  {step.internal_name}: {step.attempts[-1].message}"
        for step in run_log.all_steps()
        if step.attempts and step.attempts[-1].message
    ]
    steps = [
        (step.internal_name, step.status, _seconds(step.attempts))
        for step in run_log.all_steps()
    ]
    lines += _table("Steps", [(name, f"{status:8} {at}") for name, status, at in steps])
    metrics = run_log.metrics()
    lines += _table("Metrics", [(name, _shown(it)) for name, it in metrics.items()])
    lines += _table("Artifacts", _artifacts(run_log))
    lines += _table("Where things are", _places(run_log))
    return "\n".join(lines)


def _seconds(attempts: list[StepAttempt]) -> str:
    total = sum(attempt.duration.total_seconds() for attempt in attempts)
    return f"{total:.2f} s"


def _shown(value: object) -> str:
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


def _places(run_log: RunLog) -> list[tuple[str, str]]:
    config = run_log.run_config
    places = []
    for label, kind, option, suffix in (
        ("run log", "run_log_store", "log_folder", ".json"),
        ("catalog", "catalog", "catalog_location", "/"),
    ):
        service = config.get(kind)
        if isinstance(service, Mapping) and option in service:
            places.append((label, f"{service[option]}/{run_log.run_id}{suffix}"))
    return places


def _table(title: str, rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return []
    width = max(len(name) for name, _ in rows)
    return [f"{title}:", *(f"  {name:{width}}  {value}" for name, value in rows)]
