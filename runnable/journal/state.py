"""The state of a run: the fold of its records, which answers every question about it.

Theory of operation. `RunState.add` applies one record after the other; nothing else
interprets a journal. The recorder asks it what is open, the engine what comes next, a
resumption what may be tried again, the run log (a `RunView`) what its steps are. The
state is a tree of scopes: the run has steps, a step with branches has scopes, and so
on; both are found by path. Which attempt of a step counts is decided here alone:

- A step that succeeded is never run again.
- `RunResumed` ends everything that was open (it was cut off), and makes steps that
  failed runnable again, except in branches that succeeded in spite of them.
- `StepClaimed` does the same for one step.

Where steps are tried again, the path through a graph may change; the parameters of the
scope are then those of the steps on the new path. The state does no I/O, knows no clock
and never changes a record.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, cast

from pydantic import JsonValue

from runnable import defaults
from runnable.graph import Graph, Node, join, parent
from runnable.journal.commands import Command, Reuse, RunNode
from runnable.journal.ownership import Ownership
from runnable.journal.parameters import AnyParameter, metrics_of
from runnable.journal.records import (
    BranchFinished,
    BranchStarted,
    Heartbeat,
    Record,
    RunDeleting,
    RunFinished,
    RunResumed,
    RunStarted,
    StepClaimed,
    StepFinished,
    StepReleased,
    StepStarted,
)
from runnable.journal.scope_tree import Retention, ScopeState, StepState
from runnable.journal.traversal import (
    Edges,
    Finish,
    described_branch,
    follow,
)
from runnable.journal.view import RunView


class UnknownPathError(ValueError):
    """A record is about a step or branch that has not started."""


class RunState:
    """The state of one run.

    Args:
        records: The records of its journal, any number from the first on.
        retention: What is remembered of steps and branches that succeeded.
        view: Notified of each change.

    Example:
        >>> state = RunState([RunFinished(at="", status="SUCCESS")])
        >>> state.status, state.count
        ('SUCCESS', 1)
    """

    def __init__(
        self,
        records: Iterable[Record] = (),
        *,
        retention: Retention = Retention.ALL,
        view: RunView | None = None,
    ) -> None:
        self.count = 0
        """How many records were applied."""
        self.saved_count = 0
        """How many of them a saved state had that this one was restored from."""
        self.started: RunStarted | None = None
        self.status = defaults.CREATED
        self.has_succeeded = False
        """Whether the run ended in success; resuming it changes nothing then."""
        self.ownership = Ownership()
        self.root = ScopeState("")
        self.open: dict[str, StepState | ScopeState] = {}
        """Steps and branches that have started and not ended, outermost first."""
        self.secret_names: set[str] = set()
        """Names of the secrets that steps have read."""
        self.metrics: dict[str, JsonValue] = {}
        """The latest metric of each name."""
        self._retention = retention
        self._view = view
        self._scopes: dict[str, ScopeState] = {"": self.root}
        self._steps: dict[str, StepState] = {}
        for record in records:
            self.add(record)

    @classmethod
    def restored(
        cls,
        started: RunStarted,
        root: ScopeState,
        *,
        count: int,
        status: str,
        has_succeeded: bool,
        open_paths: Iterable[str],
        ownership: Ownership,
        secret_names: Iterable[str],
    ) -> "RunState":
        """Make a state of its parts, as they were saved; it is as if all were added."""
        state = cls()
        state.started, state.root, state.count = started, root, count
        state.saved_count, state.status, state.ownership = count, status, ownership
        state._scopes[""] = root
        state._index(root)
        items: dict[str, StepState | ScopeState] = {**state._scopes, **state._steps}
        state.open = {path: items[path] for path in open_paths}
        state.secret_names = set(secret_names)
        state.has_succeeded = has_succeeded
        return state

    def add(self, record: Record) -> None:
        """Apply one more record.

        Args:
            record: The next record of the journal.

        Raises:
            UnknownPathError: If it is about a step or a branch that has not started;
                nothing changes then.
        """
        self._apply[type(record)](self, record)
        self.count += 1

    # Records about the run.

    def _run_started(self, record: RunStarted) -> None:
        self.started = record
        self.root.initial = record.parameters
        self.root.parameters = dict(record.parameters)
        self._run_changed(record, defaults.PROCESSING)

    def _run_resumed(self, record: RunResumed) -> None:
        self._close_all()
        if not self.has_succeeded:
            self._try_again_in(self.root)
        self.root.status = ""
        self._run_changed(record, defaults.PROCESSING)

    def _run_finished(self, record: RunFinished) -> None:
        if self.is_over:
            return  # see _step_finished
        # The ends of these could not be recorded.
        self._close_all()
        self._replay(self.root)
        self.root.status = record.status
        self.has_succeeded = record.status == defaults.SUCCESS
        self._run_changed(record, record.status)

    def _close_all(self) -> None:
        for item in self.open.values():
            item.is_open, item.open_inside = False, 0
        self.open.clear()
        self.root.open_inside = 0

    def _owner_changed(self, record: Record) -> None:
        self._run_changed(record, self.status)

    def _run_changed(self, record: Record, status: str) -> None:
        self.status = status
        self.ownership.add(record)
        if self._view is not None:
            self._view.run_changed(record)

    def _step_claimed(self, record: StepClaimed) -> None:
        self._owner_changed(record)
        step = self._steps.get(record.path)
        if step is not None and step.status == defaults.FAIL:
            self._try_again(step)
            self._scopes[parent(step.path)].is_replayed = True

    def _try_again_in(self, scope: ScopeState) -> None:
        """Make the steps of a scope that failed or were cut off runnable again."""
        scope.is_replayed = True
        for step in scope.steps.values():
            if step.status != defaults.SUCCESS:
                self._try_again(step)

    def _try_again(self, step: StepState) -> None:
        if step.status:
            step.status, step.tries = "", 0
        for branch in step.branches.values():
            if branch.status != defaults.SUCCESS:
                self._try_again_in(branch)

    # Records about steps and branches.

    def _step_started(self, record: StepStarted) -> None:
        path = record.path
        scope = self._scopes.get(parent(path))
        if scope is None:
            raise UnknownPathError(f"the branch of step {path!r} has not started")
        self._replay(scope, record.name)
        step = self._steps.get(path)
        if step is None:
            if self._retention is Retention.LATEST:
                self._forget_latest(scope)
            step = self._steps[path] = StepState(path, record)
            scope.steps[record.name] = step
        else:
            step.started, step.status = record, ""
        self._opened(step, scope)
        self.status = defaults.PROCESSING
        if self._view is not None:
            self._view.step_started(step)

    def _step_finished(self, record: StepFinished) -> None:
        path = record.path
        step = self._steps.get(path)
        if step is None:
            raise UnknownPathError(f"the start of step {path!r} is missing")
        self.secret_names.update(record.secrets)
        if path not in self.open:
            # It has ended already: its process was interrupted just after it had
            # written that, or was not told that it was written, and wrote another end.
            return
        scope = self._scopes[parent(path)]
        self._closed(step, scope)
        if record.status != defaults.CANCELLED:
            step.status, step.tries = record.status, step.tries + 1
        if record.status == defaults.FAIL:
            step.message = scope.reason = record.message
        if self._retention is not Retention.LATEST:
            step.outputs, step.unrecorded = record.outputs, tuple(record.masked)
        if self._view is not None:
            self._view.step_finished(step, record)
        scope.parameters.update(record.outputs)
        self.metrics.update(metrics_of(record.outputs))

    def _branch_started(self, record: BranchStarted) -> None:
        path = record.path
        step = self._steps.get(parent(path))
        if step is None:
            raise UnknownPathError(f"the step of branch {path!r} has not started")
        branch = step.branches.get(path)
        if branch is None:
            initial = step.carried_to(record)
            branch = ScopeState(path, record.variables, initial, dict(initial))
            branch.texts = record.texts
            if step.is_loop:
                # Only now the iteration before it is not needed any more.
                self._forget_succeeded(step)
            step.branches[path] = self._scopes[path] = branch
        branch.status = ""
        self._opened(branch, step)
        if self._view is not None:
            self._view.branch_started(branch)

    def _branch_finished(self, record: BranchFinished) -> None:
        path = record.path
        step = self._steps.get(parent(path))
        if step is None:
            raise UnknownPathError(f"the start of branch {path!r} is missing")
        if path not in self.open:
            return  # see _step_finished
        branch = self._scopes[path]
        self._closed(branch, step)
        self._replay(branch)
        branch.status = record.status
        if self._view is not None:
            self._view.branch_finished(branch)
        if not step.is_loop:
            self._forget_succeeded(step)

    def _opened(
        self, item: StepState | ScopeState, around: StepState | ScopeState
    ) -> None:
        if item.path not in self.open:
            around.open_inside += 1
        item.is_open = True
        self.open[item.path] = item

    def _closed(
        self, item: StepState | ScopeState, around: StepState | ScopeState
    ) -> None:
        if self.open.pop(item.path, None) is not None:
            around.open_inside -= 1
        item.is_open = False

    def _replay(self, scope: ScopeState, until: str = "") -> None:
        """Set the parameters to those of the path, which may not be the first one."""
        if scope.is_replayed:
            scope.parameters = self._parameters_at(until, scope)

    def _parameters_at(self, name: str, scope: ScopeState) -> dict[str, AnyParameter]:
        """Return the parameters on the path to a step; to the end if it is empty."""
        graph = self._description(scope.path)
        if graph is None:
            return dict(scope.parameters)  # one step has no other path
        parameters = dict(scope.initial)
        at = graph["start_at"]
        while at != name:
            step = scope.steps.get(at)
            if step is None or not step.status:
                break  # another process runs a step out of turn
            parameters.update(step.outputs)
            following = follow(Edges.described(graph["nodes"][at]), step.outcome)
            if isinstance(following, Finish):
                break
            at = following
        return parameters

    def _description(self, branch: str) -> Mapping[str, Any] | None:
        """Return the recorded description of a graph; a job has none."""
        if not branch:
            dag = self.started.run_config.get("dag") if self.started else None
            return cast("Mapping[str, Any] | None", dag)
        step, _, name = branch.rpartition(".")
        around = self._description(parent(step))
        if around is None:
            return None
        return described_branch(around["nodes"][self._steps[step].started.name], name)

    # Retention: dropping details that no later question needs.

    def _forget_latest(self, scope: ScopeState) -> None:
        # Steps of a scope follow each other: the latest one decides what comes next.
        if scope.steps:
            name, step = next(reversed(scope.steps.items()))
            if step.status == defaults.SUCCESS:
                del scope.steps[name]
                self._unindex(step)

    def _forget_succeeded(self, step: StepState) -> None:
        if self._retention is Retention.ALL:
            return
        done = [it for it in step.branches.values() if it.status == defaults.SUCCESS]
        for branch in done:
            del step.branches[branch.path], self._scopes[branch.path]
            for inner in branch.steps.values():
                self._unindex(inner)

    def _unindex(self, step: StepState) -> None:
        del self._steps[step.path]
        for branch in step.branches.values():
            del self._scopes[branch.path]
            for inner in branch.steps.values():
                self._unindex(inner)

    # Questions.

    @property
    def is_over(self) -> bool:
        """Whether the run has ended, and was not resumed since."""
        return bool(self.root.status)

    def step(self, path: str) -> StepState | None:
        """Return the state of a step; None if it has not started or was forgotten."""
        return self._steps.get(path)

    def scope(self, path: str) -> ScopeState | None:
        """Return the state of a branch, or of the run for the empty path."""
        return self._scopes.get(path)

    def steps_below(self, path: str) -> list[StepState]:
        """List the steps that have started at a path or below it; all if empty."""
        prefix = f"{path}." if path else ""
        return [step for it, step in self._steps.items() if f"{it}.".startswith(prefix)]

    def open_below(self, path: str) -> list[StepState | ScopeState]:
        """List what is open below a path, innermost first; everything if empty."""
        prefix = f"{path}." if path else ""
        return [
            item for it, item in reversed(self.open.items()) if it.startswith(prefix)
        ]

    def parameters_at(self, path: str) -> dict[str, AnyParameter]:
        """Return the parameters that are set in its scope where a step starts."""
        scope = self._scopes[parent(path)]
        if not scope.is_replayed:
            return dict(scope.parameters)
        return self._parameters_at(path.rpartition(".")[2], scope)

    def visible(self, branch: str) -> dict[str, AnyParameter]:
        """Return every parameter that steps of a branch can read, as recorded.

        Args:
            branch: Its path; empty for the run.
        """
        scope = self._scopes[branch]
        outer = self.visible(parent(parent(branch))) if branch else {}
        return outer | scope.given() | scope.parameters

    def branches_with(self, step: str, name: str, item: JsonValue) -> list[str]:
        """Return the paths of the branches that were passed a value.

        Args:
            step: The path of the step.
            name: The name of the variable in the branch.
            item: The value.
        """
        # By their text: 1 is equal to True and to 1.0.
        wanted = json.dumps(item, sort_keys=True)
        found = self._steps.get(step)
        return [
            branch.path
            for branch in (found.branches.values() if found else ())
            if name in branch.variables
            and json.dumps(branch.variables[name], sort_keys=True) == wanted
        ]

    def next(
        self, graph: Graph, branch: str = "", after: Node | None = None
    ) -> Command:
        """Decide what comes next in the run, or in a branch.

        Args:
            graph: The graph of the run, or of the branch.
            branch: The path of the branch; empty for the run.
            after: The node that has just ended; None at the start.

        Returns:
            What to do: run a node, reuse one that has ended before, or finish.
        """
        name = graph.start_at
        if after is not None:
            ended = self._steps[join(branch, after.name)]
            following = follow(Edges.of(after), ended.outcome)
            if isinstance(following, Finish):
                return following
            name = following
        node = graph.node(name)
        step = self._steps.get(join(branch, name))
        return Reuse(node, step) if step is not None and step.status else RunNode(node)

    def walk(self, graph: Graph, branch: str = "") -> Iterator[Command]:
        """Yield the commands up to the first node that has not ended, or to the end.

        Args:
            graph: The graph of the run, or of the branch.
            branch: The path of the branch; empty for the run.
        """
        command = self.next(graph, branch)
        while isinstance(command, Reuse):
            yield command
            command = self.next(graph, branch, command.node)
        yield command

    def excerpt(self, path: str, branches: Iterable[str] = ()) -> "RunState":
        """Return the state of one step, for another process.

        Args:
            path: Of the step.
            branches: The paths of those of its branches that it is about.
        """
        part = RunState(retention=self._retention)
        part.status = self.status
        scope, step = ScopeState(parent(path)), self._steps.get(path)
        if step is not None:
            recorded = {it: self._scopes[it] for it in branches if it in self._scopes}
            part.open |= {it: b for it, b in recorded.items() if b.is_open}
            step = replace(step, branches=recorded, open_inside=len(part.open))
            scope.steps[step.started.name] = step
        if not scope.path:
            part.root = scope
        part._scopes[scope.path] = scope
        part._index(scope)
        return part

    def _index(self, scope: ScopeState) -> None:
        for step in scope.steps.values():
            self._steps[step.path] = step
            for branch in step.branches.values():
                self._scopes[branch.path] = branch
                self._index(branch)

    _apply: ClassVar[dict[type[Record], Callable[["RunState", Any], None]]] = {
        RunStarted: _run_started,
        RunResumed: _run_resumed,
        RunFinished: _run_finished,
        RunDeleting: _owner_changed,
        Heartbeat: _owner_changed,
        StepClaimed: _step_claimed,
        StepReleased: _owner_changed,
        StepStarted: _step_started,
        StepFinished: _step_finished,
        BranchStarted: _branch_started,
        BranchFinished: _branch_finished,
    }
