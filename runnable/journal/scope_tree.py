"""The tree of scopes and steps that the state of a run consists of."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue

from runnable import defaults
from runnable.journal.parameters import (
    AnyParameter,
    JsonParameter,
    StoredObject,
    json_parameter,
)
from runnable.journal.records import NO_TEXTS, BranchStarted, StepStarted
from runnable.journal.traversal import Outcome

_LOOP = "loop"
NO_PARAMETERS: Mapping[str, AnyParameter] = {}  # not a proxy, which has no pickle


class Retention(enum.Enum):
    """How much a state keeps of steps and branches that succeeded."""

    ALL = "all"
    """Everything: to resume a run, and to run single steps of it."""
    PATH = "path"
    """The steps that lead to where the run is: to show a run."""
    LATEST = "latest"
    """The latest step of each scope: to run a new run, in little memory."""


@dataclass(slots=True, eq=False)
class StepState:
    """One step: its latest attempt, and its branches if it has any."""

    path: str
    started: StepStarted
    """The start of the latest attempt."""
    is_open: bool = True
    """True while the latest attempt is active."""
    status: str = ""
    """SUCCESS or FAIL; empty while the step may still be run or tried again."""
    tries: int = 0
    """Attempts that ended by themselves, since the step may be run or tried again."""
    message: str = ""
    """Why the step failed."""
    outputs: Mapping[str, AnyParameter] = field(default_factory=lambda: NO_PARAMETERS)
    """Parameters that it set in its scope; kept only where they may be needed again."""
    unrecorded: tuple[str, ...] = ()
    """Names of outputs whose values were not recorded, since they contain secrets."""
    branches: "dict[str, ScopeState]" = field(default_factory=dict[str, "ScopeState"])
    """By path, in the order in which they started."""
    open_inside: int = 0
    """How many branches are open."""

    @property
    def is_loop(self) -> bool:
        """True if its branches are iterations that continue from each other."""
        return self.started.step_type == _LOOP

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        succeeded = self.status == defaults.SUCCESS
        return Outcome.SUCCEEDED if succeeded else Outcome.FAILED

    def carried_to(self, record: BranchStarted) -> dict[str, AnyParameter]:
        """Return what an iteration starts with: parameters of the one before it.

        Args:
            record: The start of the iteration.
        """
        if not self.is_loop or not self.branches:
            return {}
        latest = next(reversed(self.branches.values()))
        return {
            name: it
            for name, it in latest.parameters.items()
            if name not in record.variables
        }

    def in_memory(self) -> Iterator[str]:
        """Yield the names of outputs that only the process that made them has."""
        for name, parameter in self.outputs.items():
            if isinstance(parameter, StoredObject) and not parameter.sha256:
                yield name


@dataclass(slots=True, eq=False)
class ScopeState:
    """The run, or one branch of a step: its parameters and its steps."""

    path: str
    variables: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """Values that the step passed to the branch."""
    initial: Mapping[str, AnyParameter] = field(default_factory=lambda: NO_PARAMETERS)
    """The parameters that it started with."""
    parameters: dict[str, AnyParameter] = field(default_factory=dict[str, AnyParameter])
    """The parameters that were set here, as recorded."""
    status: str = ""
    """SUCCESS, FAIL or CANCELLED; empty until it has ended."""
    is_open: bool = True
    is_replayed: bool = False
    """True if steps of this scope are tried again, so that its path may change."""
    reason: str = ""
    """Why the latest step that failed here did."""
    steps: dict[str, StepState] = field(default_factory=dict[str, StepState])
    """By name, in the order in which they started."""
    open_inside: int = 0
    """How many steps are open."""
    texts: Mapping[str, JsonValue] = field(default_factory=lambda: NO_TEXTS)
    """Variables that were written as text, as they were written."""

    def given(self) -> dict[str, AnyParameter]:
        """Return the variables as parameters."""
        return {name: self._variable(name) for name in self.variables}

    def find(self, name: str) -> AnyParameter | None:
        """Return the parameter or the variable of a name, if there is one here."""
        found = self.parameters.get(name)
        if found is None and name in self.variables:
            found = self._variable(name)
        return found

    def _variable(self, name: str) -> JsonParameter:
        value, text = self.variables[name], self.texts.get(name)
        return json_parameter(value, text)
