"""Errors in the configuration; whoever operates a run must act."""

from collections.abc import Sequence

from runnable.exceptions.base import RunnableError, did_you_mean


class ConfigurationError(RunnableError):
    """The configuration is wrong; whoever operates the run must change it."""

    def __init__(self, problem: str, place: str = "") -> None:
        super().__init__(problem, place)
        self.problem = problem
        self.place = place

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}" if self.place else self.problem


class ServiceNotFoundError(ConfigurationError):
    """No implementation of this kind has this type name."""

    def __init__(
        self, kind: str, name: str, known: Sequence[str] = (), place: str = ""
    ) -> None:
        RunnableError.__init__(self, kind, name, known, place)
        self.problem = f"there is no {kind} of type {name!r}"
        self.kind = kind
        self.name = name
        self.known = known
        self.place = place

    def __str__(self) -> str:
        hint = did_you_mean(self.name, self.known)
        place = f"{self.place}: " if self.place else ""
        return (
            f"{place}There is no {self.kind} of type {self.name!r}. {hint} "
            f"Packages add one with an entry point in the group {self.kind!r}."
        )


class ParametersFileError(ConfigurationError):
    """The parameters file is missing, unreadable or not a mapping."""
