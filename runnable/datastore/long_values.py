"""Long values: written once in a readable run log, and referred to elsewhere.

A value of a megabyte that fifty steps are given stands in the run log once, where it
first comes in the file; each other place has a JSON reference to it (RFC 6901). The
parameters of a run come before its steps, so that their values are in full.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any, cast

from runnable.journal import AnyParameter, StoredObject, is_longer

LONG_CHARACTERS = 1_000
"""From here on, a value is long."""
_REFERENCE = "$ref"
_OF_ATTEMPT = {"input_parameters", "output_parameters", "user_defined_metrics"}
_GROUPS = {"parameters", *_OF_ATTEMPT}
_CONTAINERS = {"steps", "branches", "attempts"}

Place = tuple[str | int, ...]
"""Keys and positions that lead from the top of a document to something in it."""


def is_long(parameter: AnyParameter) -> bool:
    """Return True if a parameter has a long value; an object has none."""
    if isinstance(parameter, StoredObject):
        return False
    return is_longer(parameter.value, LONG_CHARACTERS)


class References:
    """Knows which long values have been written in a document, and where."""

    def __init__(self) -> None:
        self._written: dict[tuple[str, bytes], str] = {}
        # Steps share their values: each is looked at once, while it lives.
        self._seen: dict[int, tuple[object, bytes]] = {}

    def apply(self, part: dict[str, Any], at: Place) -> None:
        """Replace the long values of a part that have been written before.

        Args:
            part: The part, as JSON values.
            at: Its place in the document.
        """
        for place, name, entry in _entries(part, at):
            value, kind = entry.get("value"), str(entry.get("kind"))
            if kind == "object" or not is_longer(value, LONG_CHARACTERS):
                continue
            pointer = _pointer((*place, name))
            before = self._written.setdefault((kind, self._digest(value)), pointer)
            if before != pointer:
                entry |= {"value": None, _REFERENCE: before}

    def _digest(self, value: object) -> bytes:
        seen = self._seen.get(id(value))
        if seen is None:
            text = json.dumps(value).encode()
            seen = self._seen[id(value)] = (value, hashlib.sha256(text).digest())
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
    for _, _, entry in list(_entries(document)):
        pointer = entry.pop(_REFERENCE, None)
        if pointer is not None:
            entry["value"] = _found(document, pointer)["value"]


def _entries(
    log: object, at: Place = ()
) -> Iterator[tuple[Place, str | int, dict[str, Any]]]:
    """Yield each parameter in a log: the place of its group, its name, its values."""
    for name, value in _items(log):
        if name == "job":
            yield from _entries(value, (*at, name))
        elif name in _CONTAINERS:
            for key, inner in _items(value):
                yield from _entries(inner, (*at, name, key))
        if name not in _GROUPS:
            continue
        here = *at, name
        for key, entry in _items(value):
            if isinstance(entry, dict):
                yield here, key, entry


def _items(logs: object) -> Iterable[tuple[str | int, Any]]:
    if isinstance(logs, dict):
        return cast("dict[str, Any]", logs).items()
    return enumerate(cast("Iterable[Any]", logs) if isinstance(logs, list) else ())


def _found(document: object, pointer: str) -> Any:
    at = cast("Any", document)
    try:
        for key in pointer.removeprefix("#/").split("/"):
            plain = key.replace("~1", "/").replace("~0", "~")
            at = at[int(plain) if isinstance(at, list) else plain]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise ValueError(f"{pointer!r} leads nowhere") from None
    return at
