"""How much steps take of what is scarce: numbers by name."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import cast

_MOST = 1_000_000


def most(numbers: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Return the largest of some numbers, by name.

    Example:
        >>> most([{"gpu": 1}, {"gpu": 2, "api": 1}])
        {'gpu': 2, 'api': 1}
    """
    largest: dict[str, int] = {}
    for it in numbers:
        largest |= {name: max(it[name], largest.get(name, 0)) for name in it}
    return largest


def checked_limits(given: object) -> dict[str, int]:
    """Return limits by name, if they are any.

    Args:
        given: What a user has written.

    Raises:
        ValueError: If they are not numbers from 1 by name.

    Example:
        >>> checked_limits({"gpu": 1})
        {'gpu': 1}
    """
    if not isinstance(given, Mapping):
        problem = f"limits are numbers by name, such as {{'gpu': 1}}: {given!r}"
        raise ValueError(problem)  # noqa: TRY004 - as of the others
    limits = cast("Mapping[object, object]", given)
    for name, number in limits.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"the name of a limit is text: {name!r}")
        is_number = isinstance(number, int) and not isinstance(number, bool)
        if not is_number or not 1 <= cast("int", number) <= _MOST:
            problem = f"the limit {name!r} is a number from 1 to {_MOST:,}"
            raise ValueError(problem)
    return cast("dict[str, int]", {**limits})


def _name(given: object) -> str:
    if not isinstance(given, str):
        raise ValueError(f"the name of a limit is text: {given!r}")  # noqa: TRY004 - as of the others
    return given


def taken(given: object) -> dict[str, int]:
    """Return how much a step takes, by the name of the limit.

    Args:
        given: What a user has written: a name, several names, or numbers by name.

    Raises:
        ValueError: If it is none of these.

    Example:
        >>> taken(["gpu", "api"])
        {'gpu': 1, 'api': 1}
    """
    if isinstance(given, str):
        given = [given]
    if isinstance(given, Sequence | AbstractSet):
        names = [_name(it) for it in cast("Iterable[object]", given)]
        if len({*names}) < len(names):
            raise ValueError(f"a limit is named twice; write {{{names[0]!r}: 2}}")
        given = dict.fromkeys(names, 1)
    return checked_limits(given)
