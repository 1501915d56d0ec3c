"""Turn what a task returns into a JSON value, or refuse it with its location."""

import dataclasses
import datetime as dt
import decimal
import enum
import json
import pathlib
import uuid
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import cast

from pydantic import BaseModel, JsonValue, SecretBytes, SecretStr, TypeAdapter

from runnable.parameters.errors import ValueNotStorableError
from runnable.parameters.models import HIDDEN_WHY, dump_model

_MAX_DEPTH = 200
_SHOWN = 80
_MAX_BITS = 14_000  # Python reads and writes integers of at most 4300 digits
_TEXTUAL = (
    dt.date,
    dt.time,
    dt.timedelta,
    pathlib.PurePath,
    uuid.UUID,
    decimal.Decimal,
)


def to_json(value: object, location: str, depth: int = 0) -> JsonValue:
    """Turn a value into JSON by pydantic's rules, where they are unambiguous.

    Args:
        value: Anything. Models and dataclasses become mappings, enums their values,
            dates, paths, UUIDs and decimals text, numpy scalars and arrays numbers and
            lists.
        location: The name of the value, for errors; grows inwards.
        depth: How deeply the value is nested.

    Returns:
        A value that shares no list or mapping with the one that was given.

    Raises:
        ValueNotStorableError: If some part is anything else; names its location.

    Example:
        >>> to_json({"at": dt.date(2026, 1, 31), "n": (1, 2)}, "x")
        {'at': '2026-01-31', 'n': [1, 2]}
    """
    if value is None:
        return None
    if isinstance(value, (str, bool, int, float)):
        return _scalar(value, location)
    if depth > _MAX_DEPTH:
        raise ValueNotStorableError(location[:80], "value", "nested too deeply")
    if isinstance(value, Mapping):
        return _mapping(cast("Mapping[object, object]", value), location, depth)
    if isinstance(value, AbstractSet):
        # In an order that stays, since caches compare values between processes.
        value = sorted(cast("AbstractSet[object]", value), key=repr)
    if isinstance(value, (list, tuple, range)):
        return [
            to_json(item, f"{location}[{index}]", depth + 1)
            for index, item in enumerate(cast("Iterable[object]", value))
        ]
    return _converted(value, location, depth)


def _scalar(value: str | float, location: str) -> JsonValue:
    if isinstance(value, enum.Enum):
        return to_json(value.value, location)
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise ValueNotStorableError(location, "integer", "it has too many digits")
    if type(value) in {str, bool, int, float}:
        return value
    # A subclass, such as numpy.float64: keep its plain value.
    if isinstance(value, str):
        return str.__str__(value)
    return int(value) if isinstance(value, int) else float(value)


def _mapping(value: Mapping[object, object], location: str, depth: int) -> JsonValue:
    result: dict[str, JsonValue] = {}
    for key, item in value.items():
        if not isinstance(key, str):
            why = f"its key {key!r} is no text"
            raise ValueNotStorableError(location, type(value).__name__, why)
        # A subclass, such as a text enum, may print as something else.
        result[str.__str__(key)] = to_json(item, f"{location}.{key}", depth + 1)
    return result


def _converted(value: object, location: str, depth: int) -> JsonValue:
    if isinstance(value, BaseModel):
        return to_json(dump_model(value, location), location, depth)
    if isinstance(value, SecretStr | SecretBytes):
        raise ValueNotStorableError(location, type(value).__name__, HIDDEN_WHY)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            item.name: getattr(value, item.name) for item in dataclasses.fields(value)
        }
        return to_json(fields, location, depth)
    if isinstance(value, enum.Enum):
        return to_json(value.value, location, depth)
    if isinstance(value, _TEXTUAL):
        text: JsonValue = TypeAdapter(type(value)).dump_python(value, mode="json")
        return text
    if type(value).__module__ == "numpy":
        return _from_numpy(value, location, depth)
    raise ValueNotStorableError(location, type(value).__qualname__)


def _from_numpy(value: object, location: str, depth: int) -> JsonValue:
    # By duck typing, so that numpy is not imported for those who do not use it.
    plain = getattr(value, "tolist", None)
    converted = plain() if callable(plain) else value
    if type(converted).__module__ == "numpy":
        raise ValueNotStorableError(location, f"numpy.{type(value).__name__}")
    return to_json(converted, location, depth + 1)


def json_or_text(text: str) -> JsonValue:
    """Read the value of a variable: JSON if it is, else the text itself.

    Example:
        >>> json_or_text("[1, 2]"), json_or_text("hello")
        ([1, 2], 'hello')
    """
    try:
        parsed: JsonValue = json.loads(text)
    except ValueError:
        return text
    except RecursionError:
        raise ValueNotStorableError(
            shortened(text), "text", "nested too deeply"
        ) from None
    return parsed


def shortened(value: object) -> str:
    """Return what a value looks like, cut to a line of an error's text."""
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."


def copy_json(value: JsonValue) -> JsonValue:
    """Copy a JSON value, so that changing the copy leaves it as it is."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [copy_json(item) for item in value]
    return value
