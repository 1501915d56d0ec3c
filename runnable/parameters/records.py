"""Functions that return a record: its fields name what they return."""

import dataclasses
import typing
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from typing_extensions import is_typeddict

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
    hints = typing.get_type_hints(kind, include_extras=True) if names else {}
    return {name: hints.get(name, Any) for name in names}


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


def values_of(function: str, result: object, names: list[str]) -> tuple[object, ...]:
    """Return the values of a record, in the order of its fields.

    Args:
        function: For errors.
        result: What the function returned.
        names: The fields.

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
    except (PydanticUserError, PydanticInvalidForJsonSchema):
        return False
    return True
