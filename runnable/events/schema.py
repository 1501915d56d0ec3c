"""The form of events, for programs that read them: JSON, with a version."""

from typing import Any, get_type_hints

from pydantic import TypeAdapter

from runnable.datastore.codec import KINDS, as_json
from runnable.events.types import Event, Launched, TaskEvent, Warned
from runnable.scope import find_run

VERSION = 1
"""Goes up when a field changes its meaning or goes away; new ones do not count."""
_OTHERS: dict[type, str] = {Warned: "warning", Launched: "step_launched"}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def described(event: Event) -> dict[str, object]:
    """Turn an event into what JSON can express.

    Args:
        event: An event of a run.

    Returns:
        Its fields, its `type` and the `version`; and the `run_id`, if a run is current,
        as subscribers get it. What a task yields is passed on as it was yielded.

    Example:
        >>> described(Warned("s", "two set x"))
        {'type': 'warning', 'version': 1, 'path': 's', 'text': 'two set x'}
    """
    if isinstance(event, TaskEvent):
        return dict(event.event)
    run = find_run()
    whose = {"run_id": run.context.run_id} if run is not None else {}
    if isinstance(event, Warned | Launched):
        kind = _OTHERS[type(event)]
        return {"type": kind, "version": VERSION, **whose, **event._asdict()}
    fields = as_json(event)
    return {"type": fields.pop("kind"), "version": VERSION, **whose, **fields}


def event_schema() -> dict[str, Any]:
    """Make the JSON schema of the events of runs.

    Returns:
        The schema; what the generators of tasks yield has any other `type`.

    Example:
        >>> event_schema()["$defs"]["branch_finished"]["required"]
        ['type', 'version', 'at', 'path', 'status']
    """
    kinds: dict[str, type] = {**KINDS, **{name: it for it, name in _OTHERS.items()}}
    shared: dict[str, Any] = {}
    definitions = {name: _schema(name, kind, shared) for name, kind in kinds.items()}
    return {
        "$schema": _DIALECT,
        "title": "Events of runs",
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in definitions],
        "$defs": {**definitions, **shared},
    }


_OF_MODELS: dict[str, dict[str, Any]] = {
    "parameters": {"type": "object"},
    "outputs": {"type": "object"},
    "files": {"type": "array"},
    "code": {"type": "array"},
}
"""Fields that hold models; they are as in the run log."""


def _schema(name: str, kind: type, shared: dict[str, Any]) -> dict[str, Any]:
    """Make the schema of one kind; what it refers to goes to what all share."""
    fields: dict[str, Any] = {}
    for field, hint in get_type_hints(kind).items():
        schema = _OF_MODELS.get(field) or TypeAdapter(hint).json_schema()
        shared |= schema.pop("$defs", {})
        fields[field] = schema
    return {
        "type": "object",
        "description": (kind.__doc__ or "").splitlines()[0],
        "properties": {
            "type": {"const": name},
            "version": {"const": VERSION},
            "run_id": {"type": "string"},
            **fields,
        },
        "required": ["type", "version", *fields],
    }
