"""Encode records as lines of text, and decode them.

A line is JSON: a checksum, then the record. A line that was cut by a kill has no end of
line; a line that was changed does not match its checksum.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, cast

from pydantic_core import PydanticSerializationError, from_json, to_json

from runnable.datastore.parameters import from_plain, to_plain
from runnable.journal import (
    BranchFinished,
    BranchStarted,
    CodeIdentity,
    DataCatalog,
    Heartbeat,
    Record,
    RunDeleting,
    RunFinished,
    RunResumed,
    RunStarted,
    StepClaimed,
    StepFinished,
    StepReleased,
    StepStarted,
)

KINDS: dict[str, type[Record]] = {
    "run_started": RunStarted,
    "run_resumed": RunResumed,
    "run_deleting": RunDeleting,
    "heartbeat": Heartbeat,
    "step_claimed": StepClaimed,
    "step_released": StepReleased,
    "step_started": StepStarted,
    "step_finished": StepFinished,
    "branch_started": BranchStarted,
    "branch_finished": BranchFinished,
    "run_finished": RunFinished,
}
"""The kinds of records by name."""
_NAMES = {record: name for name, record in KINDS.items()}
_HEAD = b'{"crc32":"'
_MIDDLE = b'","record":'
_END = b"}\n"
_BODY_AT = len(_HEAD) + 8 + len(_MIDDLE)


class DamagedLineError(ValueError):
    """A line of a journal is not what was written."""


def as_json(record: Record) -> dict[str, Any]:
    """Turn a record into what JSON can express.

    Args:
        record: Any record.

    Returns:
        Its fields by name, and its `kind`.

    Example:
        >>> as_json(RunFinished(at="now", status="SUCCESS"))["kind"]
        'run_finished'
    """
    kind = type(record)
    content: dict[str, Any] = {"kind": _NAMES[kind]}
    content.update(zip(kind._fields, record, strict=True))
    for name, plain in _NESTED[kind]:
        content[name] = plain(content[name])
    return content


def encode(record: Record) -> bytes:
    r"""Turn a record into a line.

    Args:
        record: Any record.

    Returns:
        One line of JSON with its end of line.

    Example:
        >>> encode(BranchFinished(at="now", path="p.a", status="FAIL"))[29:]
        b'{"kind":"branch_finished","at":"now","path":"p.a","status":"FAIL"}}\n'
    """
    body = dump_json(as_json(record))
    return b"%b%08x%b%b%b" % (_HEAD, zlib.crc32(body), _MIDDLE, body, _END)


def dump_json(content: dict[str, Any]) -> bytes:
    """Return an object as JSON; unlike in JSON, there may be NaN and infinity."""
    try:
        return to_json(content, inf_nan_mode="constants")
    except PydanticSerializationError:
        # Half of a surrogate pair is text to Python and to JSON, not to UTF-8.
        return json.dumps(content, separators=(",", ":")).encode()


def _plain_models(models: Iterable[DataCatalog] | Iterable[CodeIdentity]) -> list[Any]:
    return [model.model_dump(mode="json") for model in models]


PLAIN: dict[str, Callable[[Any], object]] = {
    "parameters": to_plain,
    "outputs": to_plain,
    "read": list,
    "masked": list,
    "secrets": list,
    "files": _plain_models,
    "code": _plain_models,
}
"""Encoders of fields that hold more than JSON."""

_NESTED = {
    kind: [(name, plain) for name, plain in PLAIN.items() if name in kind._fields]
    for kind in _NAMES
}


def decode(line: bytes) -> Record:
    """Turn a line back into the record.

    Args:
        line: As `encode` made it.

    Returns:
        An equal record.

    Raises:
        DamagedLineError: If the line is anything else.
    """
    body = line[_BODY_AT : -len(_END)]
    expected = b"%b%08x%b" % (_HEAD, zlib.crc32(body), _MIDDLE)
    if not line.endswith(_END) or line[:_BODY_AT] != expected:
        raise DamagedLineError("its checksum does not match")
    return from_json_fields(parse_json(body))


def from_json_fields(content: dict[str, Any]) -> Record:
    """Reverse `as_json`.

    Args:
        content: The fields of a record, and its `kind`.

    Raises:
        DamagedLineError: If it is anything else.
    """
    name = content.pop("kind", "")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise DamagedLineError(
            "its kind is unknown; a newer version may have written it"
        )
    return _build(kind, content)


def parse_json(body: bytes) -> dict[str, Any]:
    """Reverse `dump_json`.

    Raises:
        DamagedLineError: If it is no JSON object.
    """
    try:
        content: object = from_json(body)
    except ValueError:
        # Half of a surrogate pair is text to Python and to JSON, not to UTF-8.
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            raise DamagedLineError("it is no JSON") from None
    if not isinstance(content, dict):
        raise DamagedLineError("it is no JSON object")
    return cast("dict[str, Any]", content)


def _build(kind: type[Record], content: dict[str, Any]) -> Record:
    """Make a record of its fields; what is nested gets its type back."""
    plan = _PLANS[kind]
    try:
        for name, make in plan.typed:
            if name in content:
                content[name] = make(content[name])
        if not content.keys() <= plan.known:
            content = {name: content[name] for name in content if name in plan.known}
        record = kind(**content)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise DamagedLineError(f"something is missing or odd: {error}") from error
    for position, expected in plan.plain:
        if not isinstance(record[position], expected):
            name = kind._fields[position]
            raise DamagedLineError(f"its {name!r} is of another type")
    return record


class _Plan(NamedTuple):
    """How records of one kind are made of JSON."""

    known: frozenset[str]
    """The names of its fields."""
    typed: list[tuple[str, Callable[[Any], object]]]
    """How to make what is nested."""
    plain: list[tuple[int, tuple[type, ...]]]
    """The types of the fields that hold nothing but JSON, by position."""


def _plain_types(kind: type[Record]) -> list[tuple[int, tuple[type, ...]]]:
    """Return of which types the fields must be that hold nothing but JSON."""
    checked: dict[object, tuple[type, ...]]
    checked = {str: (str,), int: (int,), float: (int, float), Mapping: (dict,)}
    found: list[tuple[int, tuple[type, ...]]] = []
    for name, type_ in kind.__annotations__.items():
        expected = checked.get(getattr(type_, "__origin__", type_))
        if expected is not None:
            found.append((kind._fields.index(name), expected))
    return found


TYPED: dict[str, Callable[[Any], object]] = {
    "parameters": from_plain,
    "outputs": from_plain,
    "read": tuple,
    "masked": tuple,
    "secrets": tuple,
    "files": lambda files: [DataCatalog(**file) for file in files],
    "code": lambda code: [CodeIdentity(**identity) for identity in code],
}
"""Decoders of fields that hold more than JSON."""


_PLANS = {
    kind: _Plan(
        frozenset(kind._fields),
        [(name, make) for name, make in TYPED.items() if name in kind._fields],
        _plain_types(kind),
    )
    for kind in _NAMES
}
