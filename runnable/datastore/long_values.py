"""Long values: written once in a readable run log, and referred to elsewhere.

A value of a megabyte that fifty steps are given stands in the run log once, where it
first comes in the file; each other place has a JSON reference to it (RFC 6901). The
parameters of a run come before its steps, so that their values are in full.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, cast

from runnable.datastore.run_log import BranchLog, JobLog, RunLog, StepAttempt, StepLog
from runnable.journal import AnyParameter, StoredObject, is_longer

LONG_CHARACTERS = 1_000
"""From here on, a value is long."""
_REFERENCE = "$ref"
_OF_ATTEMPT = ("input_parameters", "output_parameters", "user_defined_metrics")
_CONTAINERS = {"steps", "branches", "attempts"}

Log = RunLog | StepLog | BranchLog | JobLog | StepAttempt
Place = tuple[str | int, ...]
"""Keys and positions that lead from the top of a document to something in it."""


class LongValue(NamedTuple):
    """A parameter with a long value, and its place in the document."""

    place: Place
    parameter: AnyParameter


def is_long(parameter: AnyParameter) -> bool:
    """Return True if a parameter has a long value; an object has none."""
    if isinstance(parameter, StoredObject):
        return False
    return is_longer(parameter.value, LONG_CHARACTERS)


def long_values(log: Log, fields: list[str]) -> list[LongValue]:
    """Find the long values in some fields of a log, in the order of the document.

    Args:
        log: The log.
        fields: Names of its fields.
    """
    return list(_long_values(log, fields, ()))


def _long_values(log: Log, fields: list[str], place: Place) -> Iterator[LongValue]:
    for name in fields:
        value: Any = getattr(log, name)
        here = (*place, name)
        if name == "parameters" or name in _OF_ATTEMPT:
            parameters = cast("Mapping[str, AnyParameter]", value)
            long = (key for key, it in parameters.items() if is_long(it))
            yield from (LongValue((*here, key), parameters[key]) for key in long)
        elif name == "job" and value is not None:
            yield from _long_values(value, list(JobLog.model_fields), here)
        elif name in _CONTAINERS and value:
            yield from _inside(value, here)


def _inside(logs: Mapping[str, Log] | list[Log], place: Place) -> Iterator[LongValue]:
    """Look at the steps, branches or attempts of a log."""
    keyed: Iterable[tuple[str | int, Log]]
    keyed = logs.items() if isinstance(logs, Mapping) else enumerate(logs)
    for key, log in keyed:
        yield from _long_values(log, list(type(log).model_fields), (*place, key))


class References:
    """Knows which long values have been written in a document, and where."""

    def __init__(self) -> None:
        self._written: dict[tuple[str, bytes], str] = {}
        # Steps share their values: each is looked at once, while it lives.
        self._seen: dict[int, tuple[AnyParameter, bytes]] = {}

    def apply(self, plain: dict[str, Any], found: list[LongValue], at: Place) -> None:
        """Replace the long values of a part that have been written before.

        Args:
            plain: The part, as JSON values.
            found: Its long values, in order.
            at: The place of the part in the document.
        """
        for place, parameter in found:
            pointer = _pointer((*at, *place))
            value = (parameter.kind, self._digest(parameter))
            before = self._written.setdefault(value, pointer)
            if before != pointer:
                entry: Any = plain
                for key in place:
                    entry = entry[key]
                entry |= {"value": None, _REFERENCE: before}

    def _digest(self, parameter: AnyParameter) -> bytes:
        seen = self._seen.get(id(parameter))
        if seen is None:
            text = json.dumps(parameter.value).encode()
            seen = (parameter, hashlib.sha256(text).digest())
            self._seen[id(parameter)] = seen
        return seen[1]


def _pointer(place: Place) -> str:
    keys = (str(key).replace("~", "~0").replace("/", "~1") for key in place)
    return "#" + "".join(f"/{key}" for key in keys)


def resolve(document: dict[str, Any]) -> None:
    """Replace the references in a run log by the values that they refer to.

    Args:
        document: The run log, as JSON values.

    Raises:
        ValueError: If one leads nowhere.

    Example:
        >>> entry = {"kind": "json", "value": None, "$ref": "#/parameters/x"}
        >>> attempt = {"input_parameters": {"x": entry}}
        >>> document = {"parameters": {"x": {"kind": "json", "value": "long"}},
        ...             "steps": {"s": {"attempts": [attempt]}}}
        >>> resolve(document)
        >>> attempt["input_parameters"]["x"]["value"]
        'long'
    """
    for entry in list(_entries(document)):
        pointer = entry.pop(_REFERENCE, None)
        if pointer is not None:
            entry["value"] = _found(document, pointer)["value"]


def _entries(log: object) -> Iterator[dict[str, Any]]:
    """Yield the parameters in a log, as JSON values."""
    if not isinstance(log, dict):
        return
    for name, value in cast("dict[str, Any]", log).items():
        if name == "parameters" or name in _OF_ATTEMPT:
            yield from (it for it in _values(value) if isinstance(it, dict))
        elif name == "job":
            yield from _entries(value)
        elif name in _CONTAINERS and value:
            for inner in _values(value):
                yield from _entries(inner)


def _values(logs: object) -> Iterable[Any]:
    if isinstance(logs, Mapping):
        return cast("Mapping[str, Any]", logs).values()
    return cast("Iterable[Any]", logs if isinstance(logs, list) else ())


def _found(document: object, pointer: str) -> Any:
    at = cast("Any", document)
    try:
        for key in pointer.removeprefix("#/").split("/"):
            plain = key.replace("~1", "/").replace("~0", "~")
            at = at[int(plain) if isinstance(at, list) else plain]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise ValueError(f"{pointer!r} leads nowhere") from None
    return at
