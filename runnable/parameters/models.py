"""Turn a model into JSON that can be read back as the same model, or refuse it."""

import math
from collections.abc import Iterable, Iterator
from typing import Any, cast

from pydantic import BaseModel, SecretBytes, SecretStr, ValidationError

from runnable.parameters.errors import ValueNotStorableError

HIDDEN_WHY = (
    "it is a secret, which is not recorded; let each step that needs it declare it"
)


def dump_model(model: BaseModel, location: str) -> dict[str, Any]:
    """Return the fields of a model as JSON, from which the same model can be made.

    Args:
        model: The model.
        location: The name of the value, for errors.

    Raises:
        ValueNotStorableError: If the next step would get another model; names the
            first field that differs.

    Example:
        >>> class Point(BaseModel):
        ...     x: int
        >>> dump_model(Point(x=1), "p")
        {'x': 1}
    """
    for name, value in _fields(model):
        if _has_secret(value):
            kind = type(model).__qualname__
            raise ValueNotStorableError(f"{location}.{name}", kind, HIDDEN_WHY)
    dumped = model.model_dump(mode="json", by_alias=True, serialize_as_any=True)
    for name, value in _fields(model):
        if isinstance(value, float) and not math.isfinite(value):
            info = type(model).model_fields.get(name)
            key = (info.serialization_alias or info.alias or name) if info else name
            dumped[key] = value  # for pydantic, JSON has none
    if _reads_back(dumped, model) is None:
        return dumped
    # Without computed fields, which a model may refuse to be given.
    bare = model.model_dump(
        mode="json", by_alias=True, round_trip=True, serialize_as_any=True
    )
    other = _reads_back(bare, model)
    if other is None:
        return bare
    field, why = other
    raise ValueNotStorableError(f"{location}.{field}", type(model).__qualname__, why)


def _reads_back(dumped: dict[str, Any], model: BaseModel) -> tuple[str, str] | None:
    """Return None if the same model is read; else a field, and why it is not."""
    try:
        again = type(model).model_validate(dumped)
    except ValidationError as error:
        found = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, found["loc"])) or "model"
        return where, f"it cannot be read back: {found['msg']}"
    # NaN is not equal to itself, and yet the same.
    texts = repr(again), repr(model)
    if again == model or (texts[0] == texts[1] and "nan" in texts[0]):
        return None
    others = dict(_fields(again))
    for name, value in _fields(model):
        if others.get(name) != value:
            return name, "the next step would get another value; return it pickled"
    return "model", "the next step would get another one; return it pickled"


def _fields(model: BaseModel) -> Iterator[tuple[str, object]]:
    yield from model.__dict__.items()
    yield from (model.model_extra or {}).items()


def _has_secret(value: object) -> bool:
    match value:
        case SecretStr() | SecretBytes():
            return True
        case BaseModel():
            return any(_has_secret(it) for _, it in _fields(value))
        case dict():
            return any(map(_has_secret, cast("dict[object, object]", value).values()))
        case list() | tuple() | set():
            return any(map(_has_secret, cast("Iterable[object]", value)))
        case _:
            return False
