"""Functions that return a record: its fields name what they return."""

import dataclasses
import typing
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter
from typing_extensions import is_typeddict

from runnable.parameters.binding import without_need
from runnable.parameters.errors import FieldMissingError


def fields_of(annotation: Any) -> dict[str, Any]:
    """Return the annotations of the fields of a record, by name.

    Args:
        annotation: A `TypedDict`, a `NamedTuple`, a dataclass or a pydantic model.

    Returns:
        None for anything else: an empty mapping.

    Example:
        >>> from typing import NamedTuple
        >>> class Split(NamedTuple):
        ...     train: list[int]
        ...     test: list[int]
        >>> list(fields_of(Split)), fields_of(int)
        (['train', 'test'], {})
    """
    kind = typing.get_origin(annotation) or annotation  # of a generic one
    names = _names_of(kind)
    hints = _hints_of(kind) if names else {}
    return {name: hints.get(name, Any) for name in names}


def _hints_of(kind: Any) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(kind, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}  # names that only type checkers know, or of a function
    return {name: without_need(it) for name, it in hints.items()}


def may_be_absent(annotation: Any) -> frozenset[str]:
    """Return the fields that a record need not have.

    Args:
        annotation: As for `fields_of`.
    """
    kind = typing.get_origin(annotation) or annotation
    return frozenset(kind.__optional_keys__) if is_typeddict(kind) else frozenset()


def _names_of(annotation: Any) -> list[str]:
    if is_typeddict(annotation):
        return list(annotation.__annotations__)
    if not isinstance(annotation, type):
        return []
    kind = cast("type[object]", annotation)
    if issubclass(kind, BaseModel):
        return list(kind.model_fields)
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    named: Sequence[str] = getattr(kind, "_fields", ())
    return list(named) if issubclass(kind, tuple) else []


def values_of(
    function: str,
    result: object,
    names: list[str],
    optional: Collection[str] = (),
) -> tuple[object, ...]:
    """Return the values of a record, in the order of its fields.

    Args:
        function: For errors.
        result: What the function returned.
        names: The fields.
        optional: Those that may be absent, and then are None.

    Raises:
        FieldMissingError: If there is no such field.

    Example:
        >>> values_of("f", {"a": 1, "b": 2}, ["b"])
        (2,)
    """
    kind = type(result).__qualname__
    found: list[object] = []
    for name in names:
        try:
            if isinstance(result, Mapping):
                found.append(cast("Mapping[str, object]", result)[name])
            else:
                found.append(getattr(result, name))
        except (KeyError, AttributeError):
            if name in optional:
                found.append(None)
                continue
            raise FieldMissingError(function, name, kind) from None
    return tuple(found)


def is_json(annotation: Any) -> bool:  # annotations have no common type
    """Return True if values of a type can be recorded as JSON.

    Example:
        >>> is_json(list[int]), is_json(slice)
        (True, False)
    """
    try:
        TypeAdapter(annotation).json_schema(mode="serialization")
    except Exception:  # noqa: BLE001 - a type may define what it likes
        return False
    return True
