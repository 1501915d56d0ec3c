"""The records of a journal, and how one is a line of text.

Theory of operation. A run log is the fold of its records; nothing else is stored while
a run goes on. A record is frozen, says one thing that has happened, and is one line:
a checksum over the rest of the line, then JSON. A line that was cut by a kill has no
end of line; a line that was changed does not match its checksum.
"""

import json
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, from_json, to_json

from runnable.datastore.parameters import AnyParameter, from_plain, to_plain
from runnable.datastore.run_log import CodeIdentity, DataCatalog


class RunStarted(NamedTuple):
    """A run has begun."""

    at: str
    """Local time, as in the run log."""
    run_id: str
    tag: str
    dag_hash: str
    parameters: dict[str, AnyParameter]
    """Those the run starts with."""
    run_config: dict[str, JsonValue]
    code: list[CodeIdentity]
    host: str = ""
    process_id: int = 0
    process_began: str = ""
    """Tells the process from another one of the same number; empty if not known."""
    epoch_seconds: float = 0.0
    """When, wherever the clock stands."""
    in_parts: bool = False
    """Whether its steps are run by other processes, which join it."""


class RunResumed(NamedTuple):
    """A run that has stopped goes on, maybe elsewhere."""

    at: str
    code: list[CodeIdentity]
    host: str = ""
    process_id: int = 0
    process_began: str = ""
    epoch_seconds: float = 0.0
    message: str = ""
    """What is not as it was."""
    in_parts: bool = False


class Heartbeat(NamedTuple):
    """The process that runs the run is still there."""

    at: str
    epoch_seconds: float


class PartStarted(NamedTuple):
    """A process has joined the run, for one of its steps."""

    at: str
    path: str
    """Of the step."""
    host: str
    process_id: int
    process_began: str
    epoch_seconds: float


class PartFinished(NamedTuple):
    """A process that has joined the run has left it."""

    at: str
    path: str
    host: str
    process_id: int
    process_began: str


class RunDeleting(NamedTuple):
    """A process has begun to delete the run; nobody writes to it any more."""

    at: str
    host: str
    process_id: int
    process_began: str
    epoch_seconds: float


class StepStarted(NamedTuple):
    """A step has begun an attempt."""

    at: str
    path: str
    name: str
    step_type: str
    attempt: int = 1
    """0 for a step that has branches; those have attempts."""


class StepFinished(NamedTuple):
    """An attempt of a step has ended, and the step with it."""

    at: str
    path: str
    status: str
    outputs: dict[str, AnyParameter]
    """What becomes parameters of the step's scope: declared returns, or what has come
    of the branches."""
    files: list[DataCatalog]
    attempt: int = 1
    message: str = ""
    traceback: str = ""
    read: tuple[str, ...] = ()
    """Names of parameters that it was given from outside the branch it stands in."""
    masked: tuple[str, ...] = ()
    """Names of outputs that had secrets in them, which are not recorded."""
    cached_from: str = ""
    """The run and the path of the step whose end was reused; empty if it was run."""


class BranchStarted(NamedTuple):
    """A branch of a step has begun; its scope is new, except in a loop."""

    at: str
    path: str
    variables: dict[str, JsonValue]
    """What the step gives to it: the item of a map, the number of an iteration."""


class BranchFinished(NamedTuple):
    """A branch of a step has ended."""

    at: str
    path: str
    status: str


class RunFinished(NamedTuple):
    """A run has ended; nothing follows, unless it is resumed or deleted."""

    at: str
    status: str


Record = (
    RunStarted
    | RunResumed
    | RunDeleting
    | Heartbeat
    | PartStarted
    | PartFinished
    | StepStarted
    | StepFinished
    | BranchStarted
    | BranchFinished
    | RunFinished
)

KINDS: dict[str, type[Record]] = {
    "run_started": RunStarted,
    "run_resumed": RunResumed,
    "run_deleting": RunDeleting,
    "heartbeat": Heartbeat,
    "part_started": PartStarted,
    "part_finished": PartFinished,
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
    content: dict[str, Any] = {"kind": _NAMES[type(record)]}
    for name, value in zip(record._fields, record, strict=True):
        plain = _PLAIN.get(name)
        content[name] = value if plain is None else plain(value)
    return content


def encode(record: Record) -> bytes:
    r"""Turn a record into a line.

    Args:
        record: Any record.

    Returns:
        One line of JSON with its end of line.

    Example:
        >>> encode(RunFinished(at="now", status="SUCCESS"))[20:]
        b'"record":{"kind":"run_finished","at":"now","status":"SUCCESS"}}\n'
    """
    body = _dump(as_json(record))
    return b"%b%08x%b%b%b" % (_HEAD, zlib.crc32(body), _MIDDLE, body, _END)


def _dump(content: dict[str, object]) -> bytes:
    try:
        return to_json(content, inf_nan_mode="constants")
    except PydanticSerializationError:
        # Half of a surrogate pair is text to Python and to JSON, not to UTF-8.
        return json.dumps(content, separators=(",", ":")).encode()


def _plain_models(models: list[DataCatalog] | list[CodeIdentity]) -> list[Any]:
    return [model.model_dump(mode="json") for model in models]


_PLAIN: dict[str, Callable[[Any], object]] = {
    "parameters": to_plain,
    "outputs": to_plain,
    "read": list,
    "masked": list,
    "files": _plain_models,
    "code": _plain_models,
}
"""How fields that hold more than JSON become JSON."""


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
    content = _parse(body)
    name = content.pop("kind", "")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise DamagedLineError(
            "its kind is unknown; a newer version may have written it"
        )
    return _build(kind, content)


def _parse(body: bytes) -> dict[str, Any]:
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
    return content


def _build(kind: type[Record], content: dict[str, Any]) -> Record:
    """Make a record of its fields; what is nested gets its type back."""
    known = kind._fields
    try:
        for name, make in _TYPED.items():
            if name in content:
                content[name] = make(content[name])
        record = kind(**{name: content[name] for name in content if name in known})
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise DamagedLineError(f"something is missing or odd: {error}") from error
    for name, expected in _PLAIN_TYPES[kind]:
        if not isinstance(getattr(record, name), expected):
            raise DamagedLineError(f"its {name!r} is of another type")
    return record


def _plain_types(kind: type[Record]) -> list[tuple[str, tuple[type, ...]]]:
    """Return of which types the fields must be that hold nothing but JSON."""
    checked: dict[object, tuple[type, ...]]
    checked = {str: (str,), int: (int,), float: (int, float), dict: (dict,)}
    found = []
    for name, type_ in kind.__annotations__.items():
        expected = checked.get(getattr(type_, "__origin__", type_))
        if expected is not None:
            found.append((name, expected))
    return found


_PLAIN_TYPES = {kind: _plain_types(kind) for kind in _NAMES}

_TYPED: dict[str, Callable[[Any], object]] = {
    "parameters": from_plain,
    "outputs": from_plain,
    "read": tuple,
    "masked": tuple,
    "files": lambda files: [DataCatalog(**file) for file in files],
    "code": lambda code: [CodeIdentity(**identity) for identity in code],
}
"""How fields that hold more than JSON come back from it."""
