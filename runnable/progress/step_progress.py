"""The progress of the steps of an active run: the fold of its events.

Theory of operation. The steps of the run itself are all kept. Of those in branches,
only what is under way is kept, and some that failed: a branch that has ended is
counted, so that a map of a million items needs no more room than one of ten.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sized
from dataclasses import dataclass, field

from runnable import defaults
from runnable.context import RunContext
from runnable.events import Event, Launched
from runnable.graph import (
    TERMINAL_NAMES,
    CompositeNode,
    LoopNode,
    MapNode,
    ParallelNode,
    node_at,
    parent,
)
from runnable.journal import (
    BranchFinished,
    BranchStarted,
    RunState,
    StepFinished,
    StepStarted,
)
from runnable.system.moments import moment_of

_MOST_FAILED = 5
"""How many failed branches of a step are kept."""


@dataclass(slots=True, eq=False)
class StepProgress:
    """One step, and what is under way in its branches."""

    path: str
    name: str
    kind: str
    started: float
    """POSIX timestamp of its first start; 0 if it has succeeded before a resumption."""
    status: str = ""
    """Empty while it is running."""
    ended: float = 0.0
    attempt: int = 0
    message: str = ""
    is_cached: bool = False
    total: int | None = None
    """How many branches it has; None if that is not known."""
    counts: Counter[str] = field(default_factory=Counter[str])
    """How many of its branches have ended, by status."""
    branches: "dict[str, dict[str, StepProgress]]" = field(
        default_factory=dict[str, "dict[str, StepProgress]"]
    )
    """Steps of its branches by name, of those that run and some that failed."""
    failed: int = 0
    """How many of these branches have failed."""

    def seconds(self, now: float) -> float:
        """Return how long it has run, or did run.

        Args:
            now: POSIX timestamp.
        """
        return max(0.0, (self.ended or now) - self.started) if self.started else 0.0

    @property
    def running(self) -> int:
        """How many of its branches are under way."""
        return len(self.branches) - self.failed


class Steps:
    """The steps of one run, as its events tell.

    Args:
        context: Describes the run.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self.steps: dict[str, StepProgress] = {}
        """Those of the run itself, by name, in the order in which they started."""

    def add(self, event: Event) -> None:
        """Take note of an event of a step or a branch."""
        match event:
            case StepStarted() | Launched():
                self._start(event)
            case StepFinished():
                self._finish(event)
            case BranchStarted(path=path):
                if step := self.find(parent(path)):
                    step.branches.setdefault(path.rpartition(".")[2], {})
            case BranchFinished():
                self._finish_branch(event)
            case _:
                pass

    def find(self, path: str) -> StepProgress | None:
        """Return a step by its path, if it is kept."""
        names = path.split(".")
        steps = self.steps
        for name, branch in zip(names[:-1:2], names[1::2], strict=False):
            step = steps.get(name)
            if step is None or branch not in step.branches:
                return None
            steps = step.branches[branch]
        return steps.get(names[-1])

    def take_over(self) -> None:
        """Take note of what had succeeded when the run was resumed."""
        graph, state = self._context.dag, self._state()
        for name, node in graph.nodes.items() if graph and state else ():
            before = state.step(name) if state else None
            has_succeeded = before is not None and before.status == defaults.SUCCESS
            if has_succeeded and name not in TERMINAL_NAMES:
                step = StepProgress(name, name, node.node_type, 0.0, defaults.SUCCESS)
                step.counts = self._succeeded(name)
                self.steps[name] = step

    def waiting(self) -> Iterator[str]:
        """Yield the names of the steps that are to come, if all goes well."""
        graph = self._context.dag
        name = graph.start_at if graph is not None else ""
        while graph is not None and name and name not in TERMINAL_NAMES:
            if name not in self.steps:
                yield name
            name = getattr(graph.nodes.get(name), "next_node", "")

    def _start(self, event: StepStarted | Launched) -> None:
        if event.step_type in TERMINAL_NAMES:
            return
        steps = self._around(event.path)
        if steps is None:
            return
        name = event.path.rpartition(".")[2]
        step = steps.get(name)
        began = time.time() if isinstance(event, Launched) else _seconds(event.at)
        if step is None:
            step = steps[name] = StepProgress(
                event.path, event.name, event.step_type, began
            )
            step.counts = self._succeeded(event.path)
        step.started = step.started or began
        step.status, step.ended = "", 0.0
        if isinstance(event, StepStarted):
            step.attempt = event.attempt
        if step.total is None:
            step.total = self._expected(event.path)

    def _state(self) -> RunState | None:
        run = self._context.run
        return run.state if run is not None else None

    def _around(self, path: str) -> dict[str, StepProgress] | None:
        """Return the steps of the run, or of the branch that a step is in."""
        scope = parent(path)
        if not scope:
            return self.steps
        step = self.find(parent(scope))
        return step.branches.get(scope.rpartition(".")[2]) if step else None

    def _finish(self, event: StepFinished) -> None:
        step = self.find(event.path)
        if step is not None:
            step.status, step.ended = event.status, _seconds(event.at)
            step.message = event.message
            step.is_cached = bool(event.cached_from)

    def _finish_branch(self, event: BranchFinished) -> None:
        step = self.find(parent(event.path))
        if step is None:
            return
        name = event.path.rpartition(".")[2]
        step.counts[event.status] += 1
        if event.status != defaults.SUCCESS and step.failed < _MOST_FAILED:
            step.failed += 1
        else:
            step.branches.pop(name, None)

    def _succeeded(self, path: str) -> Counter[str]:
        """Count the branches of a step that succeeded before the run was resumed."""
        state = self._state()
        before = state.step(path) if state is not None else None
        branches = before.branches.values() if before is not None else ()
        return Counter(it.status for it in branches if it.status == defaults.SUCCESS)

    def _expected(self, path: str) -> int | None:
        """Return how many branches a step will have, if it has any and that is known.

        Called where the step starts, so its parameters are those it gets.
        """
        graph, state = self._context.dag, self._state()
        node = node_at(graph, path) if graph is not None else None
        if isinstance(node, LoopNode):
            return node.max_iterations
        if isinstance(node, MapNode) and state is not None:
            items = state.visible(parent(path)).get(node.iterate_on)
            value = getattr(items, "value", None)
            return len(value) if isinstance(value, Sized) else None
        if isinstance(node, ParallelNode):
            return len(node.branches)
        return 1 if isinstance(node, CompositeNode) else None


def _seconds(moment: str) -> float:
    return moment_of(moment).timestamp()
