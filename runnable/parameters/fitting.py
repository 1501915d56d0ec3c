"""Whether values of one type can be given where another one is wanted.

Theory of operation. What is recorded as JSON is compared as JSON: pydantic describes
what values of a type look like as JSON, and what a type accepts. Two types clash if no
value of the one could be right for the other; text and numbers are not the same, though
a run would convert them. An object, which is pickled, is passed on as it is, so classes
are compared. What is not known clashes with nothing.
"""

import inspect
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Union, cast

from pydantic import ConfigDict, TypeAdapter
from typing_extensions import is_protocol

from runnable.parameters.binding import is_model, supported
from runnable.parameters.value_types import ValueType

Schema = Mapping[str, Any]

_JSON_CLASSES: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": types.NoneType,
}
_DECIDING = {"function-before", "function-wrap", "function-plain"}
"""Kinds of validators of pydantic that see a value before it is checked."""
_WIDER = {("integer", "number"), ("boolean", "integer"), ("boolean", "number")}
"""Values of the first are values of the second."""


def clashes(given: ValueType, wanted: Any) -> bool:
    """Return True if no value of a type can be given where another is wanted.

    Args:
        given: What there is.
        wanted: The annotation of what is wanted.

    Example:
        >>> clashes(ValueType(int), str), clashes(ValueType(int), float)
        (True, False)
        >>> clashes(ValueType(list[int]), list[str] | None)
        True
    """
    if given.annotation == wanted:
        return False
    if given.is_object:
        return _objects_clash(given.annotation, wanted)
    ours = _schema(given.annotation, "serialization")
    if ours is None:
        return False
    # Fields are found by their aliases, or by their names: either is right.
    theirs = (_schema(wanted, "validation", by_alias=it) for it in (True, False))
    return all(
        _class_clashes(ours, wanted) if it is None else _Comparison(ours, it).clashes()
        for it in theirs
    )


def is_field_of(wanted: object, name: str) -> bool:
    """Return True if a value may be given as a field, in place of the whole model.

    Args:
        wanted: The annotation of an argument.
        name: The name of the argument, and of the field.
    """
    return is_model(wanted) and name in wanted.model_fields


def _schema(
    annotation: Any,
    mode: typing.Literal["serialization", "validation"],
    *,
    by_alias: bool = True,
) -> Schema | None:
    """Describe a type as JSON; None if that is not known."""
    try:
        try:
            adapter = TypeAdapter[object](supported(annotation))
        except Exception:  # noqa: BLE001 - of a class that pydantic does not know
            config = ConfigDict(arbitrary_types_allowed=True)
            adapter = TypeAdapter[object](supported(annotation), config=config)
        schema = adapter.json_schema(mode=mode, by_alias=by_alias)
        # A validator may take what is not of the type that it makes.
        return {} if _has_validator(adapter.core_schema) else schema
    except Exception:  # noqa: BLE001 - a type may define what it likes
        return None


def _has_validator(schema: object) -> bool:
    """Return True if a function decides what is accepted, somewhere in a type."""
    if isinstance(schema, Mapping):
        parts = cast("Mapping[str, object]", schema)
        kind = parts.get("type")
        return kind in _DECIDING or any(map(_has_validator, parts.values()))
    if isinstance(schema, list | tuple):
        return any(map(_has_validator, cast("Sequence[object]", schema)))
    return False


def _class_clashes(ours: Schema, wanted: Any) -> bool:
    """Return True if JSON can be no instance of a class that has no form as JSON."""
    kinds = _kinds(ours)
    if not kinds or not inspect.isclass(wanted):
        return False
    return not any(_is_one(_JSON_CLASSES[kind], wanted) for kind in kinds)


def _objects_clash(given: Any, wanted: Any) -> bool:
    ours, theirs = _classes(given), _classes(wanted)
    if not ours or not theirs:
        return False
    return not any(_is_one(a, b) or _is_one(b, a) for a in ours for b in theirs)


def _classes(annotation: Any) -> list[type]:
    """Return the classes of a type, any of which a value may have; empty if unknown."""
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is Annotated:
        return _classes(arguments[0])
    if origin in {Union, types.UnionType}:
        found = [_classes(it) for it in arguments]
        return [it for several in found for it in several] if all(found) else []
    if annotation is None:
        return [types.NoneType]
    kind = origin or annotation
    if not inspect.isclass(kind) or kind in {object, Any} or is_protocol(kind):
        return []
    # Type checkers know more of these than their base classes say.
    return [] if kind.__module__ in {"typing", "numpy", "io", "_io"} else [kind]


def _is_one(kind: type, wanted: type) -> bool:
    if (kind, wanted) in {
        (int, float),
        (bool, float),
        (int, complex),
        (float, complex),
    }:
        return True
    try:
        return is_protocol(wanted) or issubclass(kind, wanted)
    except TypeError:  # of a class that is none, such as a TypedDict
        return True


def _kinds(schema: Schema) -> set[str]:
    """Return the JSON types that values may have; empty if they are not known."""
    if "anyOf" in schema:
        found = [_kinds(it) for it in schema["anyOf"]]
        return set[str]().union(*found) if all(found) else set()
    if "enum" in schema or "const" in schema:
        return {_kind_of(it) for it in _constants(schema)}
    kind = schema.get("type")
    return {kind} if isinstance(kind, str) else set()


def _constants(schema: Schema) -> list[object]:
    return list(schema["enum"]) if "enum" in schema else [schema["const"]]


def _kind_of(value: object) -> str:
    for kind, of in _JSON_CLASSES.items():
        if type(value) is of:
            return kind
    return "object"


class _Comparison:
    """Compares what is given with what is wanted, both described as JSON.

    Args:
        given: Describes values.
        wanted: Describes what is accepted.
    """

    def __init__(self, given: Schema, wanted: Schema) -> None:
        self._given = given
        self._wanted = wanted
        self._compared: set[tuple[str, str]] = set()

    def clashes(self) -> bool:
        """Return True if no value that is given is accepted."""
        return self._clash(self._given, self._wanted)

    def _clash(self, given: Any, wanted: Any) -> bool:
        if not isinstance(given, Mapping) or not isinstance(wanted, Mapping):
            return False
        a, b = cast("Schema", given), cast("Schema", wanted)
        if "$ref" in a or "$ref" in b:
            pair = (str(a.get("$ref", id(a))), str(b.get("$ref", id(b))))
            if pair in self._compared:
                return False  # types that contain themselves
            self._compared.add(pair)
            a, b = _followed(self._given, a), _followed(self._wanted, b)
            return self._clash(a, b)
        for key in ("anyOf", "oneOf"):
            if key in a:
                return all(self._clash(it, b) for it in a[key])
            if key in b:
                return all(self._clash(a, it) for it in b[key])
        return self._one_clashes(a, b)

    def _one_clashes(self, a: Schema, b: Schema) -> bool:
        if _are_constants(a) and _are_constants(b):
            return not any(it in _constants(b) for it in _constants(a))
        kinds, accepted = _kinds(a), _kinds(b)
        if not kinds or not accepted:
            return False
        common = {
            (one, other)
            for one in kinds
            for other in accepted
            if one == other or (one, other) in _WIDER
        }
        if common == {("array", "array")}:
            return self._arrays_clash(a, b)
        if common == {("object", "object")}:
            return self._objects_clash(a, b)
        return not common

    def _arrays_clash(self, a: Schema, b: Schema) -> bool:
        ours, theirs = _places(a), _places(b)
        if ours is not None and theirs is not None:
            if len(ours) != len(theirs):
                return True
            return any(map(self._clash, ours, theirs))
        if ours is not None:
            return any(self._clash(it, b.get("items")) for it in ours)
        each = a.get("items")
        if theirs is not None:
            return any(self._clash(each, it) for it in theirs)
        return self._clash(each, b.get("items"))

    def _objects_clash(self, a: Schema, b: Schema) -> bool:
        fields, values = b.get("properties", {}), b.get("additionalProperties")
        given, rest = a.get("properties", {}), a.get("additionalProperties")
        needed = b.get("required", ())
        if not given:  # any keys
            if isinstance(rest, Mapping) and not fields:
                return self._clash(rest, values)
            return any(self._clash(rest, fields[it]) for it in needed)
        if not rest and any(it not in given for it in needed):
            return True
        return any(
            self._clash(it, fields.get(name, values if not fields else None))
            for name, it in given.items()
        )


def _followed(whole: Schema, part: Schema) -> Schema:
    if "$ref" not in part:
        return part
    name = str(part["$ref"]).rpartition("/")[2]
    return cast("Schema", whole["$defs"][name])


def _are_constants(schema: Schema) -> bool:
    return "enum" in schema or "const" in schema


def _places(schema: Schema) -> Sequence[object] | None:
    """Return what a tuple has at each place; None for a list of any length."""
    if "prefixItems" in schema:
        return cast("Sequence[object]", schema["prefixItems"])
    return () if schema.get("maxItems") == 0 else None
