"""Run graphs: that of a pipeline, and those of the branches of its steps."""

import os
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Sequence,
)
from functools import partial
from itertools import islice
from typing import Any

from runnable import defaults
from runnable.datastore import BranchFinished, BranchStarted
from runnable.engine.branch_errors import BranchesFailedError, BranchFailedError
from runnable.engine.chunks import MOST_IN_CHUNK, ChunkSize
from runnable.engine.environment import RunEnvironment
from runnable.engine.error_texts import type_and_text
from runnable.engine.fan_out.fan_out import (
    Branch,
    BranchEnd,
    FanOut,
    Gathered,
    fan_out,
)
from runnable.engine.parameter_scope import Failure, ParameterScope
from runnable.engine.recorder import now
from runnable.engine.runtimes.base import BranchBody
from runnable.engine.secret_values import hidden_names
from runnable.engine.steps.attempt import Attempt
from runnable.engine.steps.step import (
    Body,
    end_graph,
    new_attempt,
    note_failure,
    run_attempt,
    run_step,
)
from runnable.engine.steps.values import reduced
from runnable.engine.worker_client import Ended, RemoteBranches
from runnable.engine.workers.protocol import Assignment
from runnable.errors import RunError
from runnable.graph import (
    KEEP_LIST,
    CompositeNode,
    ExecutableNode,
    Graph,
    MapNode,
    Node,
    Parallelism,
    join,
)
from runnable.journal import (
    Finish,
    Reuse,
    RunNode,
    ScopeState,
    StepState,
    json_parameter,
)

_KEPT_ERRORS = 100
_MANY = 32
"""How many branches overlap in this process by default."""

RunChunk = Callable[[Sequence[Assignment], Ended, ChunkSize], Coroutine[Any, Any, None]]
"""Runs branches one after the other; calls a function when each of them has ended."""


async def run_graph(graph: Graph, scope: ParameterScope, env: RunEnvironment) -> bool:
    """Run a graph from its start to one of its ends.

    Args:
        graph: The graph of the run, or of a branch.
        scope: Its parameters.
        env: The environment of the run.

    Returns:
        Whether it ended at the success node.
    """
    command = env.state.next(graph, scope.path)
    while not isinstance(command, Finish):
        match command:
            case Reuse(node, step):
                reuse(node, step, scope)
            case RunNode(ExecutableNode() as node):
                await run_step(node, scope, env)
            case RunNode(CompositeNode() as node):
                await run_composite(node, scope, env)
            case RunNode(node):
                await end_graph(node, scope, env)
        command = env.state.next(graph, scope.path, command.node)
    return command.succeeded


def reuse(node: Node, step: StepState, scope: ParameterScope) -> None:
    """Take over the recorded result of a step that ended before.

    Args:
        node: The node of the step.
        step: Its recorded state.
        scope: Gets its outputs.
    """
    scope.parameters.update(step.outputs)
    if step.status != defaults.SUCCESS:
        note_failure(node, Failure(step.path, RunError(step.message)), scope)


async def run_composite(
    node: CompositeNode,
    scope: ParameterScope,
    env: RunEnvironment,
    body: Callable[[Attempt], Awaitable[None]] | None = None,
) -> None:
    """Run a step with branches to its end.

    Args:
        node: The step.
        scope: The parameters that it reads, and sets.
        env: The environment of the run.
        body: What is done instead of running its branches.
    """
    # Its own attempt has no number: the steps in its branches are tried again.
    attempt = new_attempt(join(scope.path, node.name), 0, env)
    run: Body = partial(run_branches, node, attempt, scope, env)
    if body is not None:
        run = partial(body, attempt)
    await run_attempt(node, attempt, scope, env, run)


async def run_branches(
    node: CompositeNode, attempt: Attempt, scope: ParameterScope, env: RunEnvironment
) -> None:
    """Run the branches of a step, and merge their results.

    Branches that succeeded before are not run again.

    Args:
        node: The step.
        attempt: Gets the outputs.
        scope: The scope that the step is in.
        env: The environment of the run.

    Raises:
        BranchesFailedError: If a branch failed; after all have ended.
        BranchingError: If a parameter does not determine which branches there are.
    """
    branches = fan_out(node, scope, attempt.path, env.masker)
    running = _Running(branches)
    limit, run_chunk, sizes = _how(node, branches, scope, env)

    async def bodies() -> AsyncIterator[BranchBody]:
        waiting = running.assignments(attempt.path, scope, env)
        while chunk := list(islice(waiting, sizes.next())):
            for _, started in chunk:
                await env.record(started, more=True)
            work = [assignment for assignment, _ in chunk]
            yield partial(run_chunk, work, running.ended, sizes)

    await env.runtime.gather(bodies(), limit)
    failed = running.failed_in_order()
    gathered = branches.close(succeeded=not failed)
    merge(node, gathered, attempt, env)
    fail_if_needed(failed, gathered, attempt, branches)


class _Running:
    """The branches of a step that are running, and those that have failed."""

    def __init__(self, branches: FanOut) -> None:
        self._branches = branches
        self._now: dict[str, tuple[int, Branch]] = {}
        self._failed: dict[int, tuple[str, Failure | None]] = {}

    def assignments(
        self, step: str, outer: ParameterScope, env: RunEnvironment
    ) -> Iterator[tuple[Assignment, BranchStarted]]:
        """Yield the branches that are to be run, in order, and the records of it.

        Args:
            step: The path of the step.
            outer: The scope that the step is in.
            env: The environment of the run.
        """
        for number, branch in enumerate(self._branches):
            path = join(step, branch.name)
            recorded = env.state.scope(path)
            if recorded is not None and recorded.status == defaults.SUCCESS:
                self._branches.report(branch, BranchEnd(True, recorded.parameters))
                continue
            inner = _scope_of(branch, path, outer, recorded)
            self._now[path] = number, branch
            yield Assignment(branch.graph, inner), branch_started(path, branch, env)

    def ended(self, assignment: Assignment, end: BranchEnd) -> None:
        """Report how a branch ended."""
        inner = assignment.scope
        number, branch = self._now.pop(inner.path)
        if not end.succeeded:
            # Of very many, the run log has the reasons.
            kept = inner.failure if len(self._failed) < _KEPT_ERRORS else None
            self._failed[number] = inner.path, kept
        self._branches.report(branch, end)

    def failed_in_order(self) -> list[tuple[str, Failure | None]]:
        """Return the paths of the branches that failed, and why."""
        return [self._failed[number] for number in sorted(self._failed)]


def branch_started(path: str, branch: Branch, env: RunEnvironment) -> BranchStarted:
    """Make the record of a branch that starts; it has no secrets."""
    variables = {name: env.masker.json(it) for name, it in branch.variables.items()}
    hidden = hidden_names(branch.variables, variables)
    texts = {name: it for name, it in branch.texts.items() if name not in hidden}
    return BranchStarted(now(), path, variables, texts)


def _how(
    node: CompositeNode, branches: FanOut, scope: ParameterScope, env: RunEnvironment
) -> tuple[int, RunChunk, ChunkSize]:
    """Return how many chunks are active at once, what runs one, and their sizes."""
    overlap = env.options.overlap
    parallelism = node.overlap.parallelism or overlap.parallelism
    max_workers = node.overlap.max_workers or overlap.max_workers
    limit = 1 if parallelism == "none" else max_workers or _most(parallelism, env)
    limit = max(1, min(limit, branches.count, branches.limit or limit))
    # A branch that waits for the one before it is no reason to go elsewhere.
    alone = branches.count <= 1 or branches.limit == 1
    if alone or parallelism != "process":
        return limit, partial(_run_here, env), ChunkSize(branches.count, limit, most=1)
    # Branches that differ are few, and may take much longer than each other.
    most = MOST_IN_CHUNK if isinstance(node, MapNode) else 1
    sizes = ChunkSize(branches.count, limit, most)
    return limit, RemoteBranches(scope, env).run, sizes


def _most(parallelism: Parallelism | None, env: RunEnvironment) -> int:
    if parallelism != "process":
        return _MANY
    if env.options.cluster is not None:
        return 2 * env.options.cluster.slots()  # while one runs, the next one is sent
    return os.cpu_count() or 1


def _scope_of(
    branch: Branch, path: str, outer: ParameterScope, recorded: ScopeState | None = None
) -> ParameterScope:
    initial = branch.carried if recorded is None else recorded.initial
    variables = {
        name: json_parameter(it, branch.texts.get(name))
        for name, it in branch.variables.items()
    }
    environment = {**outer.environment, **branch.environment}
    return ParameterScope(path, dict(initial), variables, environment, outer)


async def _run_here(
    env: RunEnvironment,
    chunk: Sequence[Assignment],
    ended: Ended,
    sizes: ChunkSize,
) -> None:
    del sizes
    for branch in chunk:
        succeeded = await _run_one(branch, env)
        ended(branch, BranchEnd(succeeded, branch.scope.parameters))


async def _run_one(branch: Assignment, env: RunEnvironment) -> bool:
    assert isinstance(branch.work, Graph)  # noqa: S101 - it is a branch
    status = defaults.CANCELLED
    try:
        succeeded = await run_graph(branch.work, branch.scope, env)
        status = defaults.SUCCESS if succeeded else defaults.FAIL
    finally:
        await env.record(BranchFinished(now(), branch.scope.path, status))
    return succeeded


def fail_if_needed(
    failed: Sequence[tuple[str, Failure | None]],
    gathered: Gathered,
    attempt: Attempt,
    branches: FanOut,
) -> None:
    """Raise why a step with branches has failed, if it has.

    Args:
        failed: The paths of the branches that failed, and why, where that is known.
        gathered: The results of the branches.
        attempt: The attempt of the step.
        branches: Its branches.
    """
    if failed:
        raise _as_one(failed, attempt, branches.count)
    if gathered.problem is not None:
        raise gathered.problem


def _as_one(
    failed: Sequence[tuple[str, Failure | None]], attempt: Attempt, count: int
) -> BranchesFailedError:
    errors: list[Exception] = []
    for path, failure in failed[:_KEPT_ERRORS]:
        if failure is not None and isinstance(failure.error, Exception):
            errors.append(failure.error)
        elif failure is not None:
            errors.append(BranchFailedError(path, type_and_text(failure.error)))
            errors[-1].__cause__ = failure.error
        else:
            errors.append(BranchFailedError(path))
    paths = [path for path, _ in failed]
    return BranchesFailedError(attempt.path, paths, errors, count)


def merge(
    node: CompositeNode, gathered: Gathered, attempt: Attempt, env: RunEnvironment
) -> None:
    """Make the outputs of a step of the results of its branches.

    Args:
        node: The step.
        gathered: The results of its branches.
        attempt: Gets the outputs.
        env: The environment of the run.
    """
    reducer = node.reducer if isinstance(node, MapNode) else KEEP_LIST
    attempt.outputs = {
        **gathered.outputs,
        **{
            name: reduced(name, values, reducer, attempt.path, env)
            for name, values in gathered.collected.items()
        },
    }
    for conflict in gathered.conflicts:
        env.warn(attempt.path, conflict)
    attempt.message = "; ".join(gathered.conflicts)
