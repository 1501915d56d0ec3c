"""Run one step of a run, each of whose steps runs in a process of its own.

Theory of operation. The process reads the state of the run, joins its journal, and has
the engine run one step in the scope that is recorded. A step with branches is run in
two acts: `open_branches` records which branches there are, `close_branches` merges
their results; in between, the steps of the branches are run like any others. A terminal
step ends the branch, or the run. The first step of a run starts it.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from typing import NamedTuple

from pydantic import JsonValue

from runnable import defaults
from runnable.datastore import StepStarted
from runnable.engine.branch_errors import BranchFailedError
from runnable.engine.environment import RunEnvironment
from runnable.engine.error_texts import short_text, type_and_text
from runnable.engine.fan_out.fan_out import Branch, BranchEnd, FanOut, fan_out
from runnable.engine.parameter_scope import Failure
from runnable.engine.recorder import now
from runnable.engine.run_graph import (
    branch_started,
    fail_if_needed,
    merge,
    run_composite,
)
from runnable.engine.secret_values import refuse_secrets
from runnable.engine.single_step.address import Address
from runnable.engine.single_step.in_order import end_scope, run_terminal
from runnable.engine.steps.attempt import Attempt
from runnable.engine.steps.step import run_step
from runnable.errors import RunError, RunnableError
from runnable.graph import (
    BranchNames,
    CompositeNode,
    ExecutableNode,
    FailNode,
    LoopNode,
    MapNode,
    StepNode,
    SuccessNode,
    join,
)
from runnable.graph.errors import NodeMethodCallError
from runnable.journal import RunNode, ScopeState


class OpenBranch(NamedTuple):
    """A branch that has started and not ended."""

    name: str
    number: int
    """Its place among the branches of the step: those of its definition if they
    differ, else those that have started."""
    variables: Mapping[str, JsonValue]
    """Values that the step passes to it."""


class SingleStepResult(NamedTuple):
    """How a step has ended."""

    succeeded: bool
    reason: str
    """Why it failed; empty if it did not."""


_SUCCEEDED = SingleStepResult(succeeded=True, reason="")


class SingleStep:
    """A step of a run, for a process that has joined the run.

    Args:
        env: The environment of the run.
        address: The step.
        has_succeeded: True if it succeeded before; it is not run again then.
        in_order: Whether an orchestrator starts the steps in their order; see
            `in_order`.
    """

    def __init__(
        self,
        env: RunEnvironment,
        address: Address,
        *,
        has_succeeded: bool,
        in_order: bool = False,
    ) -> None:
        self._env = env
        self._address = address
        self._has_succeeded = has_succeeded
        self._in_order = in_order

    async def run(self) -> SingleStepResult:
        """Run the step, with all its branches if it has any."""
        env, address = self._env, self._address
        if self._has_succeeded:
            return await self._ended(_SUCCEEDED)
        match address.node:
            case CompositeNode() as node:
                await run_composite(node, address.scope, env)
            case SuccessNode() | FailNode() as node:
                await run_terminal(node, address.scope, env)
            case ExecutableNode() as node:
                await run_step(node, address.scope, env)
            case node:
                raise TypeError(f"{node.name!r} is a node of no known kind")
        return await self._ended(self._result())

    async def end(self) -> SingleStepResult:
        """Record the end of what the step is in: a branch, or the run.

        All processes of it have ended; what they could not record has failed.
        """
        path, env = self._address.scope.path, self._env
        recorded = env.state.scope(path)
        assert recorded is not None  # noqa: S101 - it was located
        if not recorded.status:
            await end_scope(self._address.graph, path, env)
        succeeded = recorded.status == defaults.SUCCESS
        return SingleStepResult(succeeded, "" if succeeded else recorded.reason)

    async def _ended(self, result: SingleStepResult) -> SingleStepResult:
        """End what the step is in, if it was the last one; return its result."""
        scope, env = self._address.scope, self._env
        recorded = env.state.scope(scope.path)
        if not (self._in_order and result.succeeded) or recorded is None:
            return result
        if not recorded.status and isinstance(self._address.node, StepNode):
            following = env.state.next(
                self._address.graph, scope.path, self._address.node
            )
            match following:
                case RunNode(SuccessNode() | FailNode() as node):
                    await run_terminal(node, scope, env)
                case _:
                    pass
        return result

    def _result(self) -> SingleStepResult:
        path, scope = self._address.path, self._address.scope
        step = self._env.state.step(path)
        succeeded = step is not None and step.status == defaults.SUCCESS
        reason = type_and_text(scope.failure.error) if scope.failure else ""
        return SingleStepResult(succeeded, short_text(reason, self._env.masker))

    async def open_branches(self) -> list[OpenBranch]:
        """Record which branches the step has; of a loop, the next iteration.

        Returns:
            The branches that have not ended.

        Raises:
            RunnableError: If a parameter does not determine which branches there are;
                the step has failed then.
            NodeMethodCallError: If the step has none.
        """
        address, env = self._address, self._env
        node = self._composite()
        if self._has_succeeded:
            return []
        try:
            branches = fan_out(node, address.scope, address.path, env.masker)
        except RunnableError as error:
            await run_composite(node, address.scope, env, partial(_fail, error))
            raise
        if address.path not in env.state.open:
            await env.record(
                StepStarted(now(), address.path, node.name, node.node_type, 0)
            )
        opened: dict[str, Branch] = {}
        for branch, path, recorded in self._replayed(branches, again=True):
            if recorded is None or recorded.status not in {"", defaults.SUCCESS}:
                # It has not started, or it has failed and is tried again.
                started = branch_started(path, branch, env)
                what = f"branch {path!r} is given"
                refuse_secrets(branch.variables, started.variables, what)
                await env.record(started)
            if recorded is None or recorded.status != defaults.SUCCESS:
                opened[path] = branch
        numbers = self._numbers(node)
        return [
            OpenBranch(it.name, numbers[path], it.variables)
            for path, it in opened.items()
        ]

    def _numbers(self, node: CompositeNode) -> dict[str, int]:
        step, path = self._env.state.step(self._address.path), self._address.path
        if isinstance(node, MapNode | LoopNode):
            paths = list(step.branches) if step is not None else []
        else:
            names = BranchNames()
            paths = [join(path, names.name(it)) for it in node.branches]
        return {it: number for number, it in enumerate(paths)}

    async def close_branches(self) -> SingleStepResult | None:
        """Record the merged results of the branches of the step.

        Returns:
            How the step has ended; None for a loop that continues.

        Raises:
            RunError: If some branches have not ended.
            NodeMethodCallError: If the step has none.
        """
        address, node, env = self._address, self._composite(), self._env
        if self._has_succeeded:
            return await self._ended(_SUCCEEDED)
        branches = fan_out(node, address.scope, address.path, env.masker)
        if self._in_order:
            await self._end_cut_off(node)
        ends = [(path, recorded) for _, path, recorded in self._replayed(branches)]
        waiting = [path for path, it in ends if it is None or not it.status]
        started = [path for path, it in ends if it is not None]
        if isinstance(node, LoopNode) and waiting and waiting[0] not in started:
            return None
        if waiting:
            reason = f"branches of step {address.path!r} have not ended: "
            raise RunError(reason + ", ".join(waiting))
        failed = {
            path: recorded.reason
            for path, recorded in ends
            if recorded is not None and recorded.status != defaults.SUCCESS
        }
        close = partial(_close, node, branches, failed, env)
        await run_composite(node, address.scope, env, close)
        return await self._ended(self._result())

    async def _end_cut_off(self, node: CompositeNode) -> None:
        """End the branches whose processes could not."""
        address, env = self._address, self._env
        branches = fan_out(node, address.scope, address.path, env.masker)
        for branch, path, recorded in self._replayed(branches):
            if recorded is not None and not recorded.status:
                await end_scope(branch.graph, path, env)

    def _composite(self) -> CompositeNode:
        node = self._address.node
        if not isinstance(node, CompositeNode):
            problem = f"step {self._address.path!r} is a {node.node_type}: no branches"
            raise NodeMethodCallError(problem)
        return node

    def _replayed(
        self, branches: FanOut, *, again: bool = False
    ) -> Iterator[tuple[Branch, str, ScopeState | None]]:
        """Yield branches with their paths and their recorded states.

        The next iteration of a loop depends on the result of the one before; a failed
        one is the last, unless it is tried again.
        """
        for branch in branches:
            path = join(self._address.path, branch.name)
            recorded = self._env.state.scope(path)
            status = recorded.status if recorded is not None else ""
            if recorded is not None and status:
                succeeded = status == defaults.SUCCESS
                branches.report(branch, BranchEnd(succeeded, recorded.parameters))
            yield branch, path, recorded
            if branches.limit == 1 and (again or not status):
                if status == defaults.SUCCESS:
                    continue
                return


async def _fail(error: Exception, attempt: Attempt) -> None:
    del attempt
    raise error


async def _close(
    node: CompositeNode,
    branches: FanOut,
    failed: Mapping[str, str],
    env: RunEnvironment,
    attempt: Attempt,
) -> None:
    gathered = branches.close(succeeded=not failed)
    merge(node, gathered, attempt, env)
    errors = [
        (path, Failure(path, BranchFailedError(path, reason)))
        for path, reason in failed.items()
    ]
    fail_if_needed(errors, gathered, attempt, branches)
