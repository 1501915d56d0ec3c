"""Glob patterns over names that are kept, as `pathlib` has them over files."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from runnable.catalog.errors import CatalogError

_ANY_DEPTH = "**"
_MAGIC = frozenset("*?[")


def parse(pattern: str) -> tuple[str, ...]:
    """Return the parts of a pattern, the same for every version of Python.

    Args:
        pattern: Relative to a folder; `**` stands for any number of folders.

    Returns:
        Its parts. A last part `**` gets a `*` after it: files are what is meant.

    Raises:
        CatalogError: If it leads out of the folder, or is no pattern.

    Example:
        >>> parse("data/**")
        ('data', '**', '*')
    """
    asked = PurePosixPath(pattern)
    parts = asked.parts
    if not parts or asked.is_absolute() or ".." in parts or "\0" in pattern:
        raise CatalogError(pattern, "must be a pattern within the compute folder")
    if any(_ANY_DEPTH in part and part != _ANY_DEPTH for part in parts):
        why = "has ** beside other letters; it stands alone, as in 'data/**/*.csv'"
        raise CatalogError(pattern, why)
    return (*parts, "*") if parts[-1] == _ANY_DEPTH else parts


def literal_folder(parts: Sequence[str]) -> str:
    """Return the folder that all matches are in, as far as it is written out.

    Args:
        parts: Those of a pattern.

    Example:
        >>> literal_folder(("data", "raw", "*.csv"))
        'data/raw'
    """
    fixed: list[str] = []
    for part in parts[:-1]:
        if _MAGIC.intersection(part):
            break
        fixed.append(part)
    return "/".join(fixed)


def is_literal(parts: Sequence[str]) -> bool:
    """Return True if a pattern can match one name only.

    Args:
        parts: Those of the pattern.

    Example:
        >>> is_literal(("data", "a.csv"))
        True
    """
    return not any(_MAGIC.intersection(part) for part in parts)


def matches(name: Sequence[str], parts: Sequence[str]) -> bool:
    """Return True if a name matches a pattern.

    Args:
        name: The parts of the name.
        parts: Those of the pattern.

    Example:
        >>> matches(("data", "a", "b.csv"), ("data", "**", "*.csv"))
        True
    """
    # The places in the pattern where the parts that were seen may have led.
    places = _after_any_depth({0}, parts)
    for part in name:
        places = _after_any_depth(
            {
                place if parts[place] == _ANY_DEPTH else place + 1
                for place in places
                if place < len(parts) and _fits(part, parts[place])
            },
            parts,
        )
    return len(parts) in places


def may_overlap(first: str, second: str) -> bool:
    """Return True if one name may match both patterns.

    Args:
        first: A pattern.
        second: Another one.

    Example:
        >>> may_overlap("*.csv", "a.csv"), may_overlap("a.csv", "b.csv")
        (True, False)
    """
    one, other = parse(first), parse(second)
    if is_literal(one):
        return matches(one, other)
    if is_literal(other):
        return matches(other, one)
    return len(one) == len(other) or _ANY_DEPTH in {*one, *other}


def _fits(part: str, wanted: str) -> bool:
    return wanted == _ANY_DEPTH or fnmatchcase(part, wanted)


def _after_any_depth(places: set[int], parts: Sequence[str]) -> set[int]:
    reached = set(places)
    for place in sorted(places):
        end = place
        while end < len(parts) and parts[end] == _ANY_DEPTH:
            end += 1
            reached.add(end)
    return reached
