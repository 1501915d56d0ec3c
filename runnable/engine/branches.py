"""Run graphs: that of a pipeline, and those of the branches that its steps have."""

import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial

from runnable import defaults
from runnable.datastore import BranchFinished, BranchStarted, JsonParameter
from runnable.engine.attempt import Attempt
from runnable.engine.fan_out import Branch, BranchEnd, FanOut, Gathered, fan_out
from runnable.engine.recorder import now
from runnable.engine.remote import Remote
from runnable.engine.runtimes.base import BranchBody
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Session
from runnable.engine.step import in_one_line, run_step
from runnable.engine.traversal import Finish, RunNode, Traversal
from runnable.engine.values import reduced
from runnable.events import Warned
from runnable.exceptions import BranchesFailedError, BranchFailedError
from runnable.graph import (
    KEEP_LIST,
    CompositeNode,
    Graph,
    MapNode,
    Parallelism,
    join,
)

logger = logging.getLogger(__name__)

_KEPT_ERRORS = 100
_MANY = 32
"""How many branches overlap in this process, if nobody says."""

RunGraph = Callable[[Graph, Scope, Session], Awaitable[bool]]
"""Runs a graph in a scope; says whether it ended at its success node."""


async def traverse(graph: Graph, scope: Scope, session: Session) -> bool:
    """Run a graph from its start to one of its ends.

    Args:
        graph: The graph.
        scope: Its parameters.
        session: The run.

    Returns:
        Whether it ended at the success node.
    """
    traversal = Traversal(graph)
    while True:
        match traversal.command:
            case RunNode(node):
                outcome = await run_step(node, scope, session, run_branches)
                traversal.advance(outcome)
            case Finish(succeeded):
                return succeeded


async def run_branches(
    node: CompositeNode, attempt: Attempt, scope: Scope, session: Session
) -> None:
    """Run the branches of a step, and say what they come to.

    Args:
        node: The step.
        attempt: Gets the outputs.
        scope: What it stands in.
        session: The run.

    Raises:
        BranchesFailedError: If a branch failed; after all have ended.
        BranchingError: If a parameter does not say which branches there are.
    """
    branches = fan_out(node, scope, attempt.path)
    failed: dict[int, tuple[str, Failure | None]] = {}
    limit, run = _how(node, branches, scope, session)

    async def bodies() -> AsyncIterator[BranchBody]:
        for number, branch in enumerate(branches):
            inner = _scope_of(branch, attempt.path, scope)
            variables = dict(branch.variables)
            await session.record(BranchStarted(now(), inner.path, variables))
            yield partial(one, number, branch, inner)

    async def one(number: int, branch: Branch, inner: Scope) -> None:
        succeeded = await _run_one(run, branch.graph, inner, session)
        if not succeeded:
            # Of very many, the run log has the reasons.
            kept = inner.failure if len(failed) < _KEPT_ERRORS else None
            failed[number] = (inner.path, kept)
        branches.report(branch, BranchEnd(succeeded, inner.parameters))

    await session.runtime.gather(bodies(), limit)
    gathered = branches.close(succeeded=not failed)
    gather(node, gathered, attempt, session)
    if failed:
        raise as_one([failed[number] for number in sorted(failed)], attempt, branches)
    if gathered.problem is not None:
        raise gathered.problem


def _how(
    node: CompositeNode, branches: FanOut, scope: Scope, session: Session
) -> tuple[int, RunGraph]:
    """Return how many branches are in flight at once, and what runs one."""
    parallelism = node.overlap.parallelism or session.conditions.overlap.parallelism
    max_workers = node.overlap.max_workers or session.conditions.overlap.max_workers
    limit = 1 if parallelism == "none" else max_workers or _most(parallelism)
    limit = max(1, min(limit, branches.count, branches.limit or limit))
    # A branch that waits for the one before it is no reason to start a process.
    if parallelism != "process" or branches.count <= 1 or branches.limit == 1:
        return limit, traverse
    return limit, Remote(scope, session).run_branch


def _most(parallelism: Parallelism | None) -> int:
    return (os.cpu_count() or 1) if parallelism == "process" else _MANY


def _scope_of(branch: Branch, step: str, outer: Scope) -> Scope:
    variables = {
        name: JsonParameter.model_construct(value=value)
        for name, value in branch.variables.items()
    }
    return Scope(
        join(step, branch.name),
        dict(branch.carried),
        variables,
        {**outer.environment, **branch.environment},
        outer,
    )


async def _run_one(run: RunGraph, graph: Graph, scope: Scope, session: Session) -> bool:
    status = defaults.CANCELLED
    try:
        succeeded = await run(graph, scope, session)
        status = defaults.SUCCESS if succeeded else defaults.FAIL
    finally:
        await session.record(BranchFinished(now(), scope.path, status))
    return succeeded


def as_one(
    failed: Sequence[tuple[str, Failure | None]], attempt: Attempt, branches: FanOut
) -> BranchesFailedError:
    """Make one error of those of branches.

    Args:
        failed: The paths of the branches that failed, and why, where that is known.
        attempt: The step that they belong to.
        branches: All of its branches.
    """
    errors: list[Exception] = []
    for path, failure in failed[:_KEPT_ERRORS]:
        if failure is not None and isinstance(failure.error, Exception):
            errors.append(failure.error)
        elif failure is not None:
            errors.append(BranchFailedError(path, in_one_line(failure.error)))
            errors[-1].__cause__ = failure.error
        else:
            errors.append(BranchFailedError(path))
    paths = [path for path, _ in failed]
    return BranchesFailedError(attempt.path, paths, errors, branches.count)


def gather(
    node: CompositeNode, gathered: Gathered, attempt: Attempt, session: Session
) -> None:
    """Make the outputs of a step of what its branches have come to.

    Args:
        node: The step.
        gathered: What they have come to.
        attempt: Gets the outputs.
        session: The run.
    """
    reducer = node.reducer if isinstance(node, MapNode) else KEEP_LIST
    attempt.outputs = {
        **gathered.outputs,
        **{
            name: reduced(name, values, reducer, attempt.path, session)
            for name, values in gathered.collected.items()
        },
    }
    for conflict in gathered.conflicts:
        logger.warning("Step %r: %s", attempt.path, conflict)
        session.recorder.tell(Warned(attempt.path, conflict))
    attempt.message = "; ".join(gathered.conflicts)
