"""Estimate how long the JSON of a value is, without making it."""

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

_NUMBER = 8
"""Characters that a number, true, false or null counts, with what separates them."""


def is_longer(value: JsonValue, characters: int) -> bool:
    """Return True if the JSON of a value has more characters, by an estimate.

    It stops counting as soon as it knows.

    Args:
        value: A JSON value.
        characters: The number to compare with.

    Example:
        >>> is_longer([1, 2, 3], 100), is_longer("x" * 101, 100)
        (False, True)
    """
    if isinstance(value, str):
        return len(value) + 2 > characters
    if not isinstance(value, dict | list):
        return characters < _NUMBER
    left, inside = characters, [cast("object", value)]
    while inside and left >= 0:
        item = inside.pop()
        if isinstance(item, str):
            left -= len(item) + 2
        elif isinstance(item, Mapping):
            entries = cast("Mapping[str, object]", item)
            left -= 2 + sum(len(key) + 4 for key in entries)
            inside.extend(entries.values())
        elif isinstance(item, Sequence):
            items = cast("Sequence[object]", item)
            left -= 2
            # A list that is too long by its length alone is not copied.
            inside.extend(items[: left + 1])
        else:
            left -= _NUMBER
    return left < 0


def in_short(value: JsonValue, characters: int) -> JsonValue:
    """Return a value, or what kind of value it is if it is long.

    Args:
        value: A JSON value.
        characters: How many characters its JSON may have; text is cut at them.

    Example:
        >>> in_short([1, 2], 100), in_short("abcdef", 3), in_short([0] * 1000, 100)
        ([1, 2], 'abc...', 'a list of 1000 items')
    """
    if isinstance(value, str):
        return value if len(value) <= characters else value[:characters] + "..."
    if isinstance(value, dict | list) and is_longer(value, characters):
        kind = "list" if isinstance(value, list) else "mapping"
        return f"a {kind} of {len(value)} items"
    return value
