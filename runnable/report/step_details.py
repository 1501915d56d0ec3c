"""The inputs and outputs of a step, as text."""

from collections.abc import Mapping

from runnable.datastore import AnyParameter, DataCatalog, StepLog

_SHOWN = 200


def details_of(step: StepLog) -> dict[str, dict[str, str]]:
    """Return what the last attempt of a step was given and has made.

    Args:
        step: The step.

    Returns:
        Inputs, outputs, metrics and files, each by name; what there is not is left out.

    Example:
        >>> details_of(StepLog(name="s", internal_name="s"))
        {}
    """
    last = step.attempts[-1] if step.attempts else None
    details = {
        "Inputs": _values(last.input_parameters if last else {}),
        "Outputs": _values(last.output_parameters if last else {}),
        "Metrics": _values(last.user_defined_metrics if last else {}),
        "Files": dict(map(_file, step.data_catalog)),
    }
    return {title: rows for title, rows in details.items() if rows}


def _values(parameters: Mapping[str, AnyParameter]) -> dict[str, str]:
    return {name: short_text(str(it.value)) for name, it in parameters.items()}


def _file(file: DataCatalog) -> tuple[str, str]:
    return f"{file.stage} {file.name}", f"sha256 {file.data_hash}"


def short_text(text: str) -> str:
    """Cut a long text.

    Example:
        >>> len(short_text("x" * 1000))
        203
    """
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
