"""The base of all errors, the families they belong to, and suggestions in texts."""

from collections.abc import Iterable, Sequence

_MOST_NAMES = 30


class RunnableError(Exception):
    """Common base of all errors of this library; catch it to catch them all.

    Each class keeps what it is about in positional fields, so that it survives
    pickling, and renders its text when asked: what is wrong, where, and what to do.
    """

    def __init_subclass__(cls) -> None:
        """Name the errors of this library as they are imported, also in pickles."""
        if cls.__module__.startswith("runnable."):
            cls.__module__ = "runnable.exceptions"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the closest known name, and list the names.

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


class DefinitionError(RunnableError):
    """A pipeline is described wrongly; its author must change it."""


class ConfigurationError(RunnableError):
    """The configuration is wrong; the operator of the run must change it."""

    def __init__(self, problem: str, location: str = "") -> None:
        super().__init__(problem, location)
        self.problem = problem
        self.location = location

    def __str__(self) -> str:
        return f"{self.location}: {self.problem}" if self.location else self.problem


class ServiceNotFoundError(ConfigurationError):
    """No implementation of this kind has this type name."""

    def __init__(
        self, kind: str, name: str, known: Sequence[str] = (), location: str = ""
    ) -> None:
        RunnableError.__init__(self, kind, name, known, location)
        self.problem = f"there is no {kind} of type {name!r}"
        self.kind = kind
        self.name = name
        self.known = known
        self.location = location

    def __str__(self) -> str:
        hint = did_you_mean(self.name, self.known)
        location = f"{self.location}: " if self.location else ""
        return (
            f"{location}There is no {self.kind} of type {self.name!r}. {hint} "
            f"Packages add one with an entry point in the group {self.kind!r}."
        )


class RunError(RunnableError):
    """Something went wrong within one run."""


class StoreError(RunnableError):
    """Something that is kept is missing, there already, or damaged."""
