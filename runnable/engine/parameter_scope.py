"""The parameters that a graph of steps reads and writes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from runnable.datastore import AnyParameter


class Failure(NamedTuple):
    """A step that failed, and why."""

    path: str
    error: BaseException


@dataclass(slots=True, eq=False)
class ParameterScope:
    """The parameters of a graph, while it runs.

    A name that is not found here is looked up in the outer scope, which does not change
    while this one is in use; what is written stays here, until the step that the branch
    belongs to says what becomes of it.
    """

    path: str
    """The path of the branch; empty for the root."""
    parameters: dict[str, AnyParameter]
    """Parameters set in this scope."""
    variables: Mapping[str, AnyParameter] = field(
        default_factory=dict[str, AnyParameter]
    )
    """Variables that the step gives to this branch; `parameters` shadow them."""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """Variables that steps see, those of the scopes around it among them."""
    outer: "ParameterScope | None" = None
    failure: Failure | None = None
    """The latest step that failed."""

    def find(self, name: str) -> AnyParameter | None:
        """Return the parameter of a name that is visible here, if there is one."""
        for scope in self._outwards():
            found = scope.parameters.get(name) or scope.variables.get(name)
            if found is not None:
                return found
        return None

    def visible(self) -> dict[str, AnyParameter]:
        """Return everything that can be found here."""
        found: dict[str, AnyParameter] = {}
        for scope in reversed(list(self._outwards())):
            found |= scope.variables
            found |= scope.parameters
        return found

    def alone(self) -> "ParameterScope":
        """Return this scope without the one around it."""
        return replace(self, outer=None, failure=None)

    def without_failures(self) -> "ParameterScope":
        """Return this scope and those around it, without why steps in them failed."""
        outer = self.outer.without_failures() if self.outer is not None else None
        return replace(self, outer=outer, failure=None)

    def _outwards(self) -> Iterator["ParameterScope"]:
        scope: ParameterScope | None = self
        while scope is not None:
            yield scope
            scope = scope.outer
