"""Walk a value of any type, and mask the secrets in it."""

import copy
import dataclasses
import json
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import cast

from pydantic import BaseModel

_DEEPEST = 64
_COLLECTIONS = (list, tuple, set, frozenset, deque)


def masked_value(  # noqa: PLR0911 - one for each type
    value: object, mask: Callable[[str], str], depth: int = 0
) -> object:
    """Return a value without secrets; the same object if there are none.

    Args:
        value: Of any type. Containers, models and data classes keep their type; of
            anything else in whose text a secret is found, the masked text remains.
        mask: Masks a text.
        depth: How deeply the value is nested.

    Example:
        >>> hide = lambda text: text.replace("secret", "***")
        >>> masked_value({"a": ("secret", 1), "b": b"my secret"}, hide)
        {'a': ('***', 1), 'b': b'my ***'}
    """
    match value:
        case None | bool():
            return value
        case str():
            return _unless_same(value, mask(value))
        case int() | float():
            # A secret of digits, which was converted to a number.
            text = _number(value)
            return value if mask(text) == text else mask(text)
        case bytes() | bytearray() | memoryview():
            content = bytes(cast("bytes", value))
            masked = _masked_bytes(content, mask)
            return cast("object", value) if masked == content else masked
        case BaseException():
            return _by_text(value, f"{type(value).__name__}: {value}", mask)
        case _:
            pass
    if depth > _DEEPEST:
        return _by_text(value, repr(value), mask)
    return _masked_container(
        value, lambda inner: masked_value(inner, mask, depth + 1), mask
    )


def _masked_container(
    value: object, inner: Callable[[object], object], mask: Callable[[str], str]
) -> object:
    if isinstance(value, Mapping):
        return _masked_mapping(cast("Mapping[object, object]", value), inner)
    for kind in _COLLECTIONS:
        if isinstance(value, kind):
            return _masked_items(cast("Iterable[object]", value), kind, inner)
    if isinstance(value, BaseModel):
        changed = _changed({**value.__dict__, **(value.model_extra or {})}, inner)
        return value.model_copy(update=changed) if changed else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        changed = _changed({it: getattr(value, it, None) for it in names}, inner)
        return _with(value, changed) if changed else value
    return _by_text(value, repr(value), mask)


def _masked_mapping(
    value: Mapping[object, object], inner: Callable[[object], object]
) -> object:
    old = list(value.items())
    made = [(inner(key), inner(it)) for key, it in old]
    same = all(a is c and b is d for (a, b), (c, d) in zip(made, old, strict=True))
    return value if same else dict(made)


def _masked_items(
    value: Iterable[object],
    kind: Callable[[Iterable[object]], object],
    inner: Callable[[object], object],
) -> object:
    items = list(value)
    made = [inner(item) for item in items]
    if all(a is b for a, b in zip(made, items, strict=True)):
        return value
    make_named_tuple = getattr(value, "_make", None)
    return make_named_tuple(made) if make_named_tuple is not None else kind(made)


def _changed(
    fields: Mapping[str, object], inner: Callable[[object], object]
) -> dict[str, object]:
    made = {name: inner(value) for name, value in fields.items()}
    return {name: it for name, it in made.items() if it is not fields[name]}


def _with(value: object, changed: Mapping[str, object]) -> object:
    copied = copy.copy(value)
    for name, it in changed.items():
        object.__setattr__(copied, name, it)  # a frozen one as well
    return copied


def _unless_same(value: str, text: str) -> str:
    return value if text == value else text


def _number(value: float) -> str:
    try:
        return json.dumps(value)
    except (ValueError, TypeError):  # too many digits, or a type of its own
        return ""


def _masked_bytes(content: bytes, mask: Callable[[str], str]) -> bytes:
    text = content.decode(errors="surrogateescape")
    return mask(text).encode(errors="surrogateescape")


def _by_text(value: object, text: str, mask: Callable[[str], str]) -> object:
    masked = mask(text)
    return value if masked == text else masked
