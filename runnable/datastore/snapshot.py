"""The readable copy of a run log: JSON, indented by four, ASCII only.

It is written piece by piece, a step or a branch at a time, since a map may have a
hundred thousand of them. A long value stands in it once, see `long_values`.
"""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from runnable.datastore.errors import RunLogDamagedError
from runnable.datastore.long_values import Place, References, resolve
from runnable.datastore.packed_logs import PackedLogs
from runnable.datastore.run_log import RunLog
from runnable.system.regular_files import NoRegularFileError, open_file

_INDENT = " " * 4


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
    references, steps = References(), run_log.steps
    if isinstance(steps, PackedLogs):
        # What is JSON already, and may be long, is not copied.
        plain = run_log.model_dump(exclude={"steps", "run_config"})
        plain |= {"steps": {}, "run_config": run_log.run_config}
        plain = {it: plain[it] for it in RunLog.model_fields}
        yield from _pieces(plain, "steps", steps, "", (), references)
    else:
        plain = run_log.model_dump()
        yield _text(plain, references, ()).encode()


def _pieces(
    plain: dict[str, Any],
    within: str,
    logs: PackedLogs[Any],
    pad: str,
    at: Place,
    references: References,
) -> Iterator[bytes]:
    """Yield a log whose steps or branches are not in it yet."""
    if not logs:
        yield _text(plain, references, at).replace("\n", f"\n{pad}").encode()
        return

    def inside(part: dict[str, Any]) -> str:
        """Return some fields, without the braces around them."""
        return _text(part, references, at)[1:-2].replace("\n", f"\n{pad}")

    fields = list(plain)
    place = fields.index(within)
    before = inside({name: plain[name] for name in fields[:place]})
    yield f'{{{before},\n{pad}{_INDENT}"{within}": {{\n'.encode()
    inner, end = pad + 2 * _INDENT, ""
    for path, log, further in logs.plain():
        yield f"{end}{inner}{json.dumps(path)}: ".encode()
        here = *at, within, path
        yield from _pieces(log, logs.within, further, inner, here, references)
        end = ",\n"
    yield f"\n{pad}{_INDENT}}}".encode()
    if after := {name: plain[name] for name in fields[place + 1 :]}:
        yield f",{inside(after)}".encode()
    yield f"\n{pad}}}".encode()


def _text(part: dict[str, Any], references: References, at: Place) -> str:
    references.apply(part, at)
    try:
        text = to_json(part, indent=4, inf_nan_mode="strings", ensure_ascii=True)
        return text.decode()
    except PydanticSerializationError:
        # Half of a surrogate pair is text to Python and to JSON, not to UTF-8.
        return json.dumps(_finite(part), indent=4, allow_nan=False)


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
