"""Run a part of a run whose steps run elsewhere, each in a process of its own.

Theory of operation. The process reads what is recorded, joins the journal, and has the
engine run one step in the scope that the records amount to. A step with branches is run
in two parts: `open_branches` records which branches there are, `close_branches` what
they have come to; in between, the steps in them are parts themselves. A terminal step
ends the branch, or the run. The first part of a run begins it.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from runnable import defaults
from runnable.ambient import active_run
from runnable.clock import seconds
from runnable.context import RunContext
from runnable.datastore import (
    AnyParameter,
    BranchFinished,
    BranchStarted,
    PartFinished,
    PartStarted,
    Record,
    RunFinished,
    StepStarted,
)
from runnable.engine.attempt import Attempt, settle_all
from runnable.engine.branches import as_one, gather, run_branches
from runnable.engine.fan_out import Branch, BranchEnd, FanOut, fan_out
from runnable.engine.history import History
from runnable.engine.owners import claim_of, this_process
from runnable.engine.places import Part, check_turn, find
from runnable.engine.recorder import UnrecordedError, now
from runnable.engine.run import Begun, Claimed, code_of, make_session, unwrapped
from runnable.engine.runtimes import Runtime
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Conditions, Services, Session, Who, run_started
from runnable.engine.standing import Standing
from runnable.engine.step import Body, in_one_line, run_step
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


class Ended(NamedTuple):
    """How a step has ended."""

    succeeded: bool
    reason: str
    """Why it has failed; empty if it has not."""


def _reason(scope: Scope) -> str:
    return in_one_line(scope.failure.error) if scope.failure is not None else ""


class Joined:
    """A step of a run, for a process that has joined the run.

    Args:
        session: The run.
        seen: What is recorded of it.
    """

    def __init__(self, session: Session, seen: "_Seen") -> None:
        self._session = session
        self._standing = seen.standing
        self._place = seen.place
        self._has_ended = seen.has_ended()

    async def run(self) -> Ended:
        """Run the step, with all its branches if it has any."""
        session, place = self._session, self._place
        if self._has_ended:
            return Ended(succeeded=True, reason="")
        session.history.forget_failure(place.path)
        outcome = await run_step(place.node, place.scope, session, run_branches)
        if isinstance(place.node, SuccessNode | FailNode):
            await session.record(_end_of(place.scope.path, _status(place.node)))
        return Ended(outcome is Outcome.SUCCEEDED, _reason(place.scope))

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
        if self._has_ended:
            return []
        try:
            branches = fan_out(node, place.scope, place.path)
        except RunnableError as error:
            await run_step(node, place.scope, self._session, _failing_with(error))
            raise
        if place.path not in self._standing.open:
            record(StepStarted(now(), place.path, node.name, node.node_type, 0))
        opened = []
        for branch, path, status in self._replayed(branches, again=True):
            if status not in {"", defaults.SUCCESS}:
                # It has not begun, or it has failed, and is tried again.
                record(BranchStarted(now(), path, dict(branch.variables)))
            if status != defaults.SUCCESS:
                opened.append(OpenBranch(branch.name, branch.variables))
        return opened

    async def close_branches(self) -> Ended | None:
        """Record what the branches of the step have come to.

        Returns:
            How the step has ended; None for a loop that goes on.

        Raises:
            RunError: If some have not ended.
            NodeMethodCallError: If the step has none.
        """
        place, node = self._place, self._composite()
        if self._has_ended:
            return Ended(succeeded=True, reason="")
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
        return Ended(outcome is Outcome.SUCCEEDED, _reason(place.scope))

    def _begun(self) -> list[str]:
        return self._standing.branches_of(self._place.path)

    def _composite(self) -> CompositeNode:
        node = self._place.node
        if not isinstance(node, CompositeNode):
            problem = f"step {self._place.path!r} is a {node.node_type}: no branches"
            raise NodeMethodCallError(problem)
        return node

    def _replayed(
        self, branches: FanOut, *, again: bool = False
    ) -> Iterator[tuple[Branch, str, str | None]]:
        """Yield branches with their paths and ends, None if they have not begun.

        Of a loop, what its next iteration is depends on the end of the one before; one
        that has failed is the last, unless it is tried again.
        """
        for branch in branches:
            path = join(self._place.path, branch.name)
            status = self._standing.branches.get(path)
            if status:
                succeeded = status == defaults.SUCCESS
                end = BranchEnd(succeeded, self._standing.parameters(path))
                branches.report(branch, end)
            yield branch, path, status
            if branches.limit == 1 and (again or not status):
                if status == defaults.SUCCESS:
                    continue
                return


def _status(node: SuccessNode | FailNode) -> str:
    return defaults.SUCCESS if isinstance(node, SuccessNode) else defaults.FAIL


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
    begins, records = await _read(parameters, runtime, services, context)
    runs_here = services.under_way.has(store.key(run_id))
    seen = _Seen(part, records, context, runs_here=runs_here)
    journal = store.create(run_id) if begins else store.join(run_id)
    begun = Begun(journal, seen.history, (), parameters)
    session = make_session(begun, runtime, services, context, conditions)
    try:
        if begins:
            session.recorder.record(records[0])
        if seen.has_ended():
            yield Joined(session, seen)
        else:
            path = seen.place.path
            working = _at_work(part, path, session, runs_here=runs_here)
            with working as seen, active_run():
                yield Joined(session, seen)
    except UnrecordedError as error:
        raise unwrapped(error) from error
    finally:
        session.workers.close()
        session.recorder.close()
    if isinstance(seen.place.node, SuccessNode | FailNode) and not seen.branch:
        store.finish(store.get_run_log_by_id(run_id, loader=session.loader))


class _Seen:
    """What is recorded of a run, as far as a part of it is concerned.

    Args:
        part: The step.
        records: All records of the run.
        context: Describes the run.
        mine: The claim of this process, if it has claimed the step already.
        runs_here: Whether the run was under way in this process before that.

    Raises:
        RunnableError: If the step cannot be run: it is not there, not its turn,
            somebody else's, or its pipeline has changed.
    """

    def __init__(
        self,
        part: Part,
        records: Sequence[Record],
        context: RunContext,
        mine: PartStarted | None = None,
        *,
        runs_here: bool,
    ) -> None:
        self.history, self.standing = History(records), Standing(records)
        _check_same(context.run_id, self.history, part.graph)
        self.place = find(part, self.standing, context)
        self.branch = self.place.scope.path
        check_turn(self.place, self.history, self.standing)
        path, claim = self.place.path, claim_of(mine) if mine else None
        owners = self.history.owners
        owner = owners.in_the_way(path, claim, runs_here=runs_here)
        if owner is not None and not self.has_ended():
            why = f"{owner} runs it; wait for its end, or end it"
            raise RunError(f"step {path!r} cannot be run: {why}")

    def has_ended(self) -> bool:
        """Tell whether the step has succeeded: whoever asks again gets that answer."""
        node = self.place.node
        if isinstance(node, SuccessNode | FailNode):
            return _status(node) == self.standing.status_of(self.branch)
        past = self.history.of(self.place.path)
        ended = past.finished if past is not None else None
        return ended is not None and ended.status == defaults.SUCCESS


@contextlib.contextmanager
def _at_work(
    part: Part, path: str, session: Session, *, runs_here: bool
) -> Iterator[_Seen]:
    """Have others know that this process runs a part, so that it is left alone.

    Yields:
        Where the run stands: what was seen before may have been changed by others.
    """
    store, recorder = session.services.run_log_store, session.recorder
    context, owner = session.context, this_process()
    claim = PartStarted(now(), path, *owner, seconds())
    recorder.record(claim)
    try:
        with Claimed(session.services, context.run_id) as claimed:
            claimed.beat_by(recorder)
            records = list(store.read(context.run_id))
            seen = _Seen(part, records, context, claim, runs_here=runs_here)
            session.history = seen.history
            settle_all(session.services.catalog, context.run_id, seen.history, path)
            for started in seen.standing.around(path):
                recorder.adopt(started)
            yield seen
    finally:
        if not recorder.is_over:
            recorder.record(PartFinished(now(), path, *owner))


async def _read(
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    services: Services,
    context: RunContext,
) -> tuple[bool, list[Record]]:
    """Read what is recorded of a run; of a new one, what will be its first record."""
    try:
        return False, list(services.run_log_store.read(context.run_id))
    except RunLogNotFoundError:
        code = await code_of(services, runtime)
        return True, [run_started(context, dict(parameters), Who(code, in_parts=True))]


def _check_same(run_id: str, history: History, graph: Graph) -> None:
    if history.owners.deleting:
        raise RetryValidationError(run_id, "its deletion was begun; delete it again")
    started = history.started
    if started is None:
        why = "it has only just begun, or its store keeps nothing before its end"
        raise RunError(f"run {run_id!r} cannot be joined: {why}")
    differences = changes(started.run_config.get("dag") or {}, graph.described)
    if differences:
        listed = "".join(f"\n    {line}" for line in differences)
        raise RetryValidationError(run_id, f"it has another pipeline:{listed}")
