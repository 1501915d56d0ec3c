"""Values that were written as text: where an argument wants the text, it gets it.

Theory of operation. `77950e8` in a file is a number to YAML and a commit to the
function. A value is first validated strictly: where that fails, a scalar is replaced by
its text, and the rest is left to the usual, lenient validation.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import TypeAdapter, ValidationError


def with_texts(adapter: TypeAdapter[object], value: object, text: object) -> object:
    """Replace scalars by their texts where the annotation does not accept the scalar.

    Args:
        adapter: Of the annotation.
        value: The value, as YAML or JSON reads it.
        text: The same structure, with each scalar as it was written.

    Returns:
        The value, or a copy with texts in it, for a lenient validation.

    Example:
        >>> with_texts(TypeAdapter(dict[str, str]), {"v": 1.1}, {"v": "1.10"})
        {'v': '1.10'}
    """
    wanted = [
        *_refused(adapter, value, strict=True),
        *_refused(adapter, value, strict=False),
    ]
    changed = value
    for keys in wanted:
        changed = _replaced(changed, text, keys)
    if changed is value or _refused(adapter, changed, strict=False):
        return value
    return changed


def _refused(
    adapter: TypeAdapter[object], value: object, *, strict: bool
) -> list[Sequence[str | int]]:
    """Return where a value is not accepted, as keys from the outside in."""
    try:
        adapter.validate_python(value, strict=strict)
    except ValidationError as error:
        return [it["loc"] for it in error.errors(include_url=False)]
    return []


def _replaced(value: object, text: object, keys: Sequence[str | int]) -> object:
    """Replace one scalar by its text; keys that lead nowhere name a type of a union."""
    if isinstance(text, str):
        return text
    unchanged = value
    if isinstance(value, dict) and isinstance(text, Mapping):
        return _replaced_in(
            dict(cast("dict[object, object]", value)),
            cast("Mapping[object, object]", text),
            keys,
        )
    if isinstance(value, list) and isinstance(text, list):
        items = cast("list[object]", value)
        texts: dict[object, object] = {**dict(enumerate(cast("list[object]", text)))}
        made = _replaced_in({**dict(enumerate(items))}, texts, keys)
        return list(made.values())
    return unchanged


def _replaced_in(
    values: dict[object, object],
    texts: Mapping[object, object],
    keys: Sequence[str | int],
) -> dict[object, object]:
    for at, key in enumerate(keys):
        if key in values and key in texts:
            values[key] = _replaced(values[key], texts[key], keys[at + 1 :])
            break
    return values
