"""The readable copy of a run log: JSON, indented by four, ASCII only.

It is written piece by piece, a branch at a time, since a map may have a hundred
thousand of them. A long value stands in it once, see `long_values`.
"""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from runnable.datastore.errors import RunLogDamagedError
from runnable.datastore.long_values import Place, References, long_values, resolve
from runnable.datastore.run_log import BranchLog, RunLog, StepLog
from runnable.system.regular_files import NoRegularFileError, open_file

_INDENT = " " * 4
_WITHIN = {RunLog: "steps", StepLog: "branches", BranchLog: "steps"}
"""The field of each model that leads to more of them."""

Log = RunLog | StepLog | BranchLog


def dump_run_log(run_log: RunLog) -> Iterator[bytes]:
    """Turn a run log into JSON.

    Args:
        run_log: Any run log.

    Yields:
        ASCII text, in pieces.

    Example:
        >>> b"".join(dump_run_log(RunLog(run_id="r1"))).splitlines()[1]
        b'    "run_id": "r1",'
    """
    return (piece.encode() for piece in _pieces(run_log, "", (), References()))


def _pieces(log: Log, pad: str, at: Place, references: References) -> Iterator[str]:
    within = _WITHIN[type(log)]
    inner: dict[str, Log] = getattr(log, within)
    fields = list(type(log).model_fields)

    def dump(some: list[str]) -> str:
        text = _dump(log, some, at, references)
        return pad + text.replace("\n", f"\n{pad}")

    if not any(_has_branches(it) for it in inner.values()):
        yield "{\n" + dump(fields) + f"\n{pad}}}"
        return
    place = fields.index(within)
    yield "{\n" + dump(fields[:place]) + f',\n{pad}{_INDENT}"{within}": {{'
    end = "\n"
    for key, value in inner.items():
        yield f"{end}{pad}{2 * _INDENT}{json.dumps(key)}: "
        yield from _pieces(value, pad + 2 * _INDENT, (*at, within, key), references)
        end = ",\n"
    rest = fields[place + 1 :]
    yield f"\n{pad}{_INDENT}}}" + (",\n" + dump(rest) if rest else "") + f"\n{pad}}}"


def _has_branches(log: Log) -> bool:
    return isinstance(log, BranchLog) or bool(getattr(log, "branches", None))


def _dump(log: Log, fields: list[str], at: Place, references: References) -> str:
    """Return some fields of a log, without the braces around them."""
    found = long_values(log, fields)
    text = "" if found else _as_it_is(log, fields)
    if not text or "NaN" in text or "Infinity" in text:
        plain = log.model_dump(include=set(fields))
        references.apply(plain, found, at)
        text = json.dumps(_finite(plain), indent=4, allow_nan=False)
    return text[2:-2]


def _as_it_is(log: Log, fields: list[str]) -> str:
    try:
        return log.model_dump_json(indent=4, ensure_ascii=True, include=set(fields))
    except (PydanticSerializationError, UnicodeEncodeError):
        # Half of a surrogate pair is text to Python and to JSON, not to UTF-8.
        return ""


def _finite(value: object) -> object:
    """Replace the numbers that JSON does not know by their names, as text."""
    if isinstance(value, float) and not math.isfinite(value):
        return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return {key: _finite(it) for key, it in items}
    if isinstance(value, list | tuple):
        return [_finite(it) for it in cast("Sequence[object]", value)]
    return value


def load_run_log(run_id: str, path: Path) -> RunLog:
    """Read a run log from its copy; also one that `runnable` 0.50 wrote.

    Args:
        run_id: The id of the run.
        path: The file.

    Returns:
        The run log.

    Raises:
        RunLogDamagedError: If the file is no run log.
    """
    try:
        with open_file(path) as file:
            document = json.loads(file.read())
        if isinstance(document, dict):
            resolve(cast("dict[str, object]", document))
        return RunLog.model_validate(document)
    except (NoRegularFileError, ValueError, ValidationError, RecursionError) as error:
        raise RunLogDamagedError(run_id, str(path), str(error)) from error
