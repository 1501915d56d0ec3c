"""Run a part of a run whose steps run elsewhere, each in a process of its own.

Theory of operation. The process reads what is recorded, joins the journal, and has the
engine run one step in the scope that the records amount to. A step with branches is run
in two parts: `open_branches` records which branches there are, `close_branches` what
they have come to; in between, the steps in them are parts themselves. A terminal step
ends the branch, or the run. The first part of a run begins it.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from runnable import defaults
from runnable.datastore import (
    BranchFinished,
    BranchStarted,
    Record,
    RunFinished,
    StepStarted,
)
from runnable.engine.attempt import Attempt
from runnable.engine.branches import as_one, gather, run_branches
from runnable.engine.fan_out import Branch, BranchEnd, FanOut, fan_out
from runnable.engine.places import Place
from runnable.engine.recorder import now
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Session
from runnable.engine.standing import Standing
from runnable.engine.step import Body, in_one_line, run_step
from runnable.engine.traversal import Outcome
from runnable.exceptions import (
    BranchFailedError,
    NodeMethodCallError,
    RunError,
    RunnableError,
)
from runnable.graph import (
    CompositeNode,
    FailNode,
    LoopNode,
    SuccessNode,
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
        standing: Where it stands.
        place: The step.
        has_ended: Whether it has succeeded before: who asks again gets that answer.
    """

    def __init__(
        self, session: Session, standing: Standing, place: Place, *, has_ended: bool
    ) -> None:
        self._session = session
        self._standing = standing
        self._place = place
        self._has_ended = has_ended

    async def run(self) -> Ended:
        """Run the step, with all its branches if it has any."""
        session, place = self._session, self._place
        if self._has_ended:
            return Ended(succeeded=True, reason="")
        session.history.forget_failure(place.path)
        outcome = await run_step(place.node, place.scope, session, run_branches)
        if isinstance(place.node, SuccessNode | FailNode):
            await session.record(_end_of(place.scope.path, status_of(place.node)))
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


def status_of(node: SuccessNode | FailNode) -> str:
    """Return how a run, or a branch, has ended that has come to a terminal step."""
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
