"""Choose the next caller among those that wait for slots of several limits."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

Wants = Mapping[str, int]
"""How many slots are wanted, by the name of the limit."""
ANY = ""
"""The name of the limit that everything counts towards."""
K = TypeVar("K")


def next_admitted(
    waiting: Iterable[tuple[K, Wants]], fits: Callable[[K, Wants], bool]
) -> K | None:
    """Return who is admitted next.

    Nobody is overtaken by name: nobody behind gets a slot that somebody waits for. A
    place, which everything counts towards, is kept for somebody only if nothing else is
    missing. Then callers that need no place, such as nested tasks, may go ahead: the
    place may be that of the step around them.

    Args:
        waiting: Who waits, and for what, in the order in which they came.
        fits: Returns True if there are so many slots for one of them.

    Returns:
        The first for whom there is room; None if there is none.

    Example:
        >>> free = {ANY: 1, "gpu": 0}
        >>> def fits(_, wants):
        ...     return all(free[name] >= count for name, count in wants.items())
        >>> next_admitted([("train", {ANY: 1, "gpu": 1}), ("load", {ANY: 1})], fits)
        'load'
        >>> free = {ANY: 0, "gpu": 1}
        >>> train = ("train", {ANY: 1, "gpu": 1})
        >>> next_admitted([train, ("eval", {ANY: 1, "gpu": 1})], fits)
        >>> next_admitted([train, ("nested", {"gpu": 1})], fits)
        'nested'
    """
    kept: set[str] = set()
    for key, wants in waiting:
        if kept.isdisjoint(wants) and fits(key, wants):
            return key
        named = {name: it for name, it in wants.items() if name != ANY}
        if ANY in wants and kept.isdisjoint(named) and fits(key, named):
            kept.add(ANY)
        else:
            kept.update(named)
    return None
