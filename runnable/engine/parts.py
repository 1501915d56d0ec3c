"""Run a part of a run whose steps run elsewhere, each in a process of its own.

Theory of operation. The process reads what is recorded, joins the journal, and has the
engine run one step in the scope that the records amount to. A step with branches is run
in two parts: `open_branches` records which branches there are, `close_branches` what
they have come to; in between, the steps in them are parts themselves. A terminal step
ends the branch, or the run. The first part of a run begins it.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from runnable import defaults
from runnable.ambient import active_run
from runnable.context import RunContext
from runnable.datastore import (
    AnyParameter,
    BranchFinished,
    BranchStarted,
    Record,
    RunFinished,
    StepStarted,
)
from runnable.engine.branches import as_one, gather, run_branches
from runnable.engine.fan_out import Branch, BranchEnd, FanOut, fan_out
from runnable.engine.history import History
from runnable.engine.places import Part, Place, find
from runnable.engine.recorder import now
from runnable.engine.run import Begun, code_of, make_session
from runnable.engine.runtimes import Runtime
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Conditions, Services, Session, run_started
from runnable.engine.standing import Standing
from runnable.engine.step import Attempt, Body, run_step
from runnable.engine.traversal import Outcome
from runnable.exceptions import (
    BranchFailedError,
    NodeMethodCallError,
    RetryValidationError,
    RunError,
    RunLogNotFoundError,
    RunnableError,
)
from runnable.graph import (
    CompositeNode,
    FailNode,
    Graph,
    LoopNode,
    SuccessNode,
    changes,
    join,
)


class OpenBranch(NamedTuple):
    """A branch that has begun, and not ended."""

    name: str
    variables: Mapping[str, JsonValue]
    """What the step gives to it."""


class Joined:
    """A step of a run, for a process that has joined the run.

    Args:
        session: The run.
        standing: Where it stands.
        place: The step.
    """

    def __init__(self, session: Session, standing: Standing, place: Place) -> None:
        self._session = session
        self._standing = standing
        self._place = place

    async def run(self) -> bool:
        """Run the step, with all its branches if it has any; say if it succeeded."""
        session, place = self._session, self._place
        session.history.forget_failure(place.path)
        outcome = await run_step(place.node, place.scope, session, run_branches)
        if isinstance(place.node, SuccessNode | FailNode):
            good = isinstance(place.node, SuccessNode)
            status = defaults.SUCCESS if good else defaults.FAIL
            session.recorder.record(_end_of(place.scope.path, status))
        return outcome is Outcome.SUCCEEDED

    async def open_branches(self) -> list[OpenBranch]:
        """Record which branches the step has; of a loop, the next iteration.

        Returns:
            The branches that have not ended.

        Raises:
            RunnableError: If a parameter does not say which branches there are; the
                step has failed then.
            NodeMethodCallError: If the step has none.
        """
        place, record = self._place, self._session.recorder.record
        node = self._composite()
        try:
            branches = fan_out(node, place.scope, place.path)
        except RunnableError as error:
            await run_step(node, place.scope, self._session, _failing_with(error))
            raise
        if place.path not in self._standing.open:
            record(StepStarted(now(), place.path, node.name, node.node_type, 0))
        opened = []
        for branch, path, status in self._replayed(branches):
            if status is None:
                record(BranchStarted(now(), path, dict(branch.variables)))
            if not status:
                opened.append(OpenBranch(branch.name, branch.variables))
        return opened

    async def close_branches(self) -> bool | None:
        """Record what the branches of the step have come to.

        Returns:
            Whether the step has succeeded; None for a loop that goes on.

        Raises:
            RunError: If some have not ended.
            NodeMethodCallError: If the step has none.
        """
        place, node = self._place, self._composite()
        branches = fan_out(node, place.scope, place.path)
        ends = [(path, status) for _, path, status in self._replayed(branches)]
        waiting = [path for path, status in ends if not status]
        if isinstance(node, LoopNode) and waiting and waiting[0] not in self._begun():
            return None
        if waiting:
            why = f"branches of step {place.path!r} have not ended: "
            raise RunError(why + ", ".join(waiting))
        failed = [path for path, status in ends if status != defaults.SUCCESS]
        self._session.history.forget_failure(place.path)
        reasons = {path: self._standing.reasons.get(path, "") for path in failed}
        closing = _closing(branches, reasons)
        outcome = await run_step(node, place.scope, self._session, closing)
        return outcome is Outcome.SUCCEEDED

    def _begun(self) -> list[str]:
        return self._standing.branches_of(self._place.path)

    def _composite(self) -> CompositeNode:
        node = self._place.node
        if not isinstance(node, CompositeNode):
            problem = f"step {self._place.path!r} is a {node.node_type}: no branches"
            raise NodeMethodCallError(problem)
        return node

    def _replayed(self, branches: FanOut) -> Iterator[tuple[Branch, str, str | None]]:
        """Yield branches with their paths and ends, None if they have not begun.

        Of a loop, what its next iteration is depends on the end of the one before.
        """
        for branch in branches:
            path = join(self._place.path, branch.name)
            status = self._standing.branches.get(path)
            if status:
                succeeded = status == defaults.SUCCESS
                end = BranchEnd(succeeded, self._standing.parameters(path))
                branches.report(branch, end)
            yield branch, path, status
            if branches.limit == 1 and not status:
                return


def _end_of(branch: str, status: str) -> Record:
    if branch:
        return BranchFinished(at=now(), path=branch, status=status)
    return RunFinished(at=now(), status=status)


def _failing_with(error: Exception) -> Body:
    async def body(*_: object) -> None:
        raise error

    return body


def _closing(branches: FanOut, failed: Mapping[str, str]) -> Body:
    errors = [
        (path, Failure(path, BranchFailedError(path, why)))
        for path, why in failed.items()
    ]

    async def body(
        node: CompositeNode, attempt: Attempt, scope: Scope, session: Session
    ) -> None:
        del scope
        gathered = branches.close(succeeded=not failed)
        gather(node, gathered, attempt, session)
        if failed:
            raise as_one(errors, attempt, branches)
        if gathered.problem is not None:
            raise gathered.problem

    return body


@contextlib.asynccontextmanager
async def joined(
    part: Part,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    services: Services,
    context: RunContext,
    conditions: Conditions,
) -> AsyncIterator[Joined]:
    """Join a run for one of its steps, or begin it if nobody has.

    Args:
        part: The step.
        parameters: Those that the run begins with, if this is its first part.
        runtime: How functions are called.
        services: Where everything is kept.
        context: Describes the run.
        conditions: How it is to go on.

    Yields:
        The step.

    Raises:
        RetryValidationError: If the pipeline is not the one that the run began with.
        NodeNotFoundError: If there is no such step.
    """
    context.set_graph(part.graph)
    store, run_id = services.run_log_store, context.run_id
    try:
        records = list(store.read(run_id))
        journal = store.join(run_id)
    except RunLogNotFoundError:
        code = await code_of(services, runtime)
        records = [run_started(context, dict(parameters), code)]
        journal = store.create(run_id)
        journal.append(records[0])
    history, standing = History(records), Standing(records)
    begun = Begun(journal, history, (), parameters)
    session = make_session(begun, runtime, services, context, conditions)
    try:
        _check_same(run_id, history, part.graph)
        place = find(part, standing, context)
        for started in standing.around(place.path):
            session.recorder.adopt(started)
        with active_run():
            yield Joined(session, standing, place)
    finally:
        session.workers.close()
        session.recorder.close()
    if isinstance(place.node, SuccessNode | FailNode) and not place.scope.path:
        store.finish(store.get_run_log_by_id(run_id, loader=session.loader))


def _check_same(run_id: str, history: History, graph: Graph) -> None:
    started = history.started
    if started is None:
        raise RetryValidationError(run_id, "nothing is recorded of how it began")
    differences = changes(started.run_config.get("dag") or {}, graph.described)
    if differences:
        listed = "".join(f"\n    {line}" for line in differences)
        raise RetryValidationError(run_id, f"it has another pipeline:{listed}")
