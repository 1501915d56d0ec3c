"""Where a run stands: the scopes that its records amount to, and what is open."""

import json
from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

from runnable import defaults
from runnable.datastore import (
    AnyParameter,
    BranchFinished,
    BranchStarted,
    JsonParameter,
    Record,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
)
from runnable.engine.scopes import Scope
from runnable.graph import parent


class Standing:
    """What the records of a run say of its scopes.

    Args:
        records: All of them, from the first on.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.open: dict[str, StepStarted | BranchStarted] = {}
        """What has begun and not ended, by path."""
        self.branches: dict[str, str] = {}
        """How the branches ended, by path, and the run, by no path; empty if not."""
        self.reasons: dict[str, str] = {}
        """Why the last step that failed did, by the branch that it stands in."""
        self._parameters: dict[str, dict[str, AnyParameter]] = {"": {}}
        self._variables: dict[str, Mapping[str, JsonValue]] = {"": {}}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Take note of a record.

        Args:
            record: The next one.
        """
        match record:
            case RunStarted():
                self._parameters[""] = dict(record.parameters)
            case StepStarted() | BranchStarted():
                self.open[record.path] = record
                if isinstance(record, BranchStarted):
                    self._begin(record)
            case StepFinished():
                self.open.pop(record.path, None)
                branch = parent(record.path)
                self._parameters[branch].update(record.outputs)
                if record.status == defaults.FAIL:
                    self.reasons[branch] = record.message
            case BranchFinished():
                self.open.pop(record.path, None)
                self.branches[record.path] = record.status
            case RunFinished() | RunResumed():
                self.branches[""] = getattr(record, "status", "")
            case _:
                pass

    def _begin(self, record: BranchStarted) -> None:
        step = parent(record.path)
        started, earlier = self.open.get(step), self.branches_of(step)
        carried: dict[str, AnyParameter] = {}
        if getattr(started, "step_type", "") == "loop" and earlier:
            # An iteration goes on with what the one before it has set.
            carried = self.parameters(earlier[-1])
        for name in record.variables:
            carried.pop(name, None)
        # What is begun again has what it had; see the run log.
        self._parameters.setdefault(record.path, carried)
        self._variables[record.path] = record.variables
        self.branches[record.path] = ""

    def branches_of(self, step: str) -> list[str]:
        """List the paths of the branches of a step, in the order in which they began.

        Args:
            step: Its path.
        """
        return [path for path in self.branches if path and parent(path) == step]

    def status_of(self, branch: str) -> str:
        """Return how a branch has ended; empty if it has not.

        Args:
            branch: Its path; the run if empty.
        """
        return self.branches.get(branch, "")

    def branches_with(self, step: str, name: str, item: JsonValue) -> list[str]:
        """Return the paths of the branches that were given an item.

        Args:
            step: The path of the step.
            name: What the item is called in the branch.
            item: The item.
        """
        # By their text: 1 is equal to True and to 1.0.
        wanted = json.dumps(item, sort_keys=True)
        return [
            path
            for path in self.branches_of(step)
            if name in self._variables[path]
            and json.dumps(self._variables[path][name], sort_keys=True) == wanted
        ]

    def parameters(self, branch: str) -> dict[str, AnyParameter]:
        """Return what was set in a branch.

        Args:
            branch: Its path; the run if empty.
        """
        return dict(self._parameters[branch])

    def visible(self, branch: str) -> dict[str, AnyParameter]:
        """Return everything that can be found in a branch.

        Args:
            branch: Its path; the run if empty.
        """
        outer = self.visible(parent(parent(branch))) if branch else {}
        return outer | self._given(branch) | self._parameters[branch]

    def _given(self, branch: str) -> dict[str, AnyParameter]:
        return {
            name: JsonParameter.model_construct(value=value)
            for name, value in self._variables[branch].items()
        }

    def scope(self, branch: str, outer: Scope, environment: Mapping[str, str]) -> Scope:
        """Return the scope of a branch.

        Args:
            branch: Its path.
            outer: The scope around it.
            environment: What the branch adds to the variables that tasks see.
        """
        variables, own = self._given(branch), self.parameters(branch)
        environment = {**outer.environment, **environment}
        return Scope(branch, own, variables, environment, outer)

    def around(self, path: str) -> Iterator[StepStarted | BranchStarted]:
        """Yield what is open of what something is, stands in or has, outermost first.

        Args:
            path: That of a step.
        """
        for other, started in self.open.items():
            if f"{path}.".startswith(f"{other}.") or parent(other) == path:
                yield started
