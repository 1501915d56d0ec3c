"""The JSON schema of pipeline files, for editors."""

import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import (
    GenerateJsonSchema,
    JsonSchemaValue,
)

from runnable import defaults
from runnable.errors import ConfigurationError, DefinitionError
from runnable.graph import TERMINAL_NAMES
from runnable.scope.injection import Provide, inject
from runnable.sdk.composites import Conditional
from runnable.sdk.pipeline import Step
from runnable.sdk.steps import Stub, Task, find_task
from runnable.sdk.yaml_pipeline import find_step, keys_of

_BROKEN = (ConfigurationError, DefinitionError)
"""Raised for a plugin that cannot be used; it keeps no other from the schema."""
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_GRAPH = {"$ref": "#/$defs/graph"}
_TEXT = {"type": "string"}
_PLACES = {
    "branch": _GRAPH,
    "branches": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": _GRAPH,
    },
    "max_attempts": {
        "type": "integer",
        "minimum": 1,
        "description": "How often it is tried, the first time included.",
    },
    "on_failure": {**_TEXT, "description": "The step that follows when it fails."},
    "next": {**_TEXT, "description": "The step that follows; success at the end."},
}


class _Generator(GenerateJsonSchema):
    """Leaves out what YAML cannot express."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}

    def handle_invalid_for_json_schema(
        self, schema: Any, error_info: str
    ) -> JsonSchemaValue:
        del schema, error_info
        return {"not": {}}


@inject
def pipeline_schema(
    *, names: Callable[[str], Iterable[str]] = Provide["plugin_names"]
) -> dict[str, Any]:
    """Make the JSON schema of pipeline files, with all steps that are installed.

    Args:
        names: Lists what is installed of a kind.

    Returns:
        The schema, as JSON.

    Example:
        >>> sorted(pipeline_schema()["$defs"])[:3]
        ['Backoff', 'Catalog', 'TaskReturns']
    """
    defs: dict[str, Any] = {}
    for kind in names("nodes"):
        if kind not in {*TERMINAL_NAMES, defaults.TASK}:
            with contextlib.suppress(*_BROKEN):  # one that is broken
                defs[kind] = _step(find_step(kind), kind, "", defs)
    for kind in names("tasks"):
        with contextlib.suppress(*_BROKEN):
            defs[f"task_{kind}"] = _step(Task, defaults.TASK, kind, defs)
    steps = [{"$ref": f"#/$defs/{name}"} for name, it in defs.items() if _is_step(it)]
    defs["end"] = {
        "type": "object",
        "properties": {"type": {"enum": list(TERMINAL_NAMES)}},
        "required": ["type"],
        "additionalProperties": False,
    }
    defs["graph"] = {
        "type": "object",
        "properties": {
            "name": _TEXT,
            "description": _TEXT,
            "start_at": {**_TEXT, "description": "The first step."},
            "steps": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": "^[^.%]+$"},
                "additionalProperties": {"anyOf": [*steps, {"$ref": "#/$defs/end"}]},
            },
        },
        "required": ["start_at", "steps"],
        "additionalProperties": False,
    }
    return {
        "$schema": _DIALECT,
        "title": "A pipeline of runnable",
        "type": "object",
        "properties": {"dag": _GRAPH},
        "required": ["dag"],
        "$defs": defs,
    }


def _step(
    found: type[Step], kind: str, command_type: str, defs: dict[str, Any]
) -> dict[str, Any]:
    """Make the schema of the steps of a type; what it refers to goes to the others."""
    described = _fields(find_task(command_type), defs) if command_type else {}
    described |= _fields(found, defs)
    if command_type:
        described["command_type"] = {"const": command_type}
    if issubclass(found, Conditional):
        described["default"] = {"anyOf": [_TEXT, _GRAPH]}
    keys = keys_of(found, command_type)
    described |= {"type": {"const": kind}, **_PLACES}
    required = {"type", "next"} | {
        name for name, field in found.model_fields.items() if field.is_required()
    }
    if command_type and command_type != defaults.COMMAND_TYPE:
        required |= {"command_type"}
    return {
        "type": "object",
        "properties": {key: described.get(key, {}) for key in sorted(keys)},
        "required": sorted(required & keys),
        # A stub takes the place of any other step, with all of its settings.
        "additionalProperties": issubclass(found, Stub),
    }


def _fields(model: type[BaseModel], defs: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Generator)
    inner = schema.pop("$defs", {})
    inner.pop("AnyPipeline", None)  # a graph of the file stands there
    defs |= inner
    properties: dict[str, Any] = schema["properties"]
    return properties


def _is_step(schema: Mapping[str, Any]) -> bool:
    return "type" in schema.get("properties", {}) and "next" in schema["properties"]
