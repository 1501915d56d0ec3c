"""The base of all errors, and what their texts have in common."""

from collections.abc import Iterable

_MOST_NAMES = 30


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which known name is closest, and which names there are.

    Args:
        name: What was written.
        known: What would have been right.

    Returns:
        A sentence, or two.

    Example:
        >>> did_you_mean("catalgo", ["catalog", "secrets"])
        "Did you mean 'catalog'? Known: catalog, secrets."
    """
    import difflib  # only an error pays for it

    names = sorted(known)
    listed = ", ".join(names[:_MOST_NAMES]) or "none"
    if len(names) > _MOST_NAMES:
        listed += f", and {len(names) - _MOST_NAMES} more"
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}Known: {listed}."


class RunnableError(Exception):
    """Common base of all errors of this library; catch it to catch them all."""
