"""Who is admitted next, of those who wait for slots of several limits."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

Wants = Mapping[str, int]
"""How many slots are wanted, by the name of the limit."""
ANY = ""
"""The name of the limit that everything counts towards."""
K = TypeVar("K")


def grant(
    waiting: Iterable[tuple[K, Wants]],
    admit: Callable[[K, Wants], bool],
    freed: Iterable[str] | None = None,
) -> list[K]:
    """Admit whom there is room for, in the order in which they came.

    Args:
        waiting: Who waits, and for what.
        admit: Takes the slots, or returns False if there is no room.
        freed: The names of slots that were released: nobody else can be admitted now.

    Returns:
        Those who were admitted.

    Example:
        >>> free = {"gpu": 1, "api": 1}
        >>> def admit(who, wants):
        ...     fits = all(free[name] >= count for name, count in wants.items())
        ...     free.update((name, free[name] - wants[name]) for name in wants if fits)
        ...     return fits
        >>> a, b, c = ("a", {"gpu": 2}), ("b", {"gpu": 1}), ("c", {"api": 1})
        >>> grant([a, b, c], admit)
        ['c']
    """
    admitted: list[K] = []
    blocked: set[str] = set()
    left = None if freed is None else set(freed)
    for key, wants in waiting:
        if blocked.isdisjoint(wants) and admit(key, wants):
            admitted.append(key)
            continue
        blocked.update(wants)
        if left is not None and left <= blocked:
            break
    return admitted
