"""Steps of a run that an orchestrator starts in their order, as Argo does.

Theory of operation. Such an orchestrator starts a step when the ones before it have
ended, and never twice at once. So what is still open when a step starts was cut off,
and is recorded as failed; and the last step of a branch ends the branch. Where nobody
could do so, the step that the branch is of does, or the end of the run.
"""

from functools import partial

from runnable import defaults
from runnable.context import RunContext
from runnable.datastore import (
    BranchFinished,
    BranchStarted,
    Record,
    StepStarted,
)
from runnable.datastore.errors import (
    RetryValidationError,
    RunLogContinuedError,
    RunLogExistsError,
)
from runnable.engine.environment import RunEnvironment, Shared
from runnable.engine.opening import OpenedRun, code_identity, resume
from runnable.engine.parameter_scope import ParameterScope
from runnable.engine.recorder import end_of_run, now
from runnable.engine.replaced_files import close_dead_attempts
from runnable.engine.runtimes import Runtime
from runnable.engine.single_step.address import Address
from runnable.engine.steps.step import end_graph
from runnable.errors import RunError
from runnable.graph import (
    CompositeNode,
    FailNode,
    Graph,
    SuccessNode,
    join,
    parent,
)
from runnable.journal import Finish, RunNode, RunResumed, RunStarted, RunState

_LOST = "its process has ended, and has recorded no end"
_NOT_STARTED = "its process did not start, or has recorded nothing"


async def resumed(
    graph: Graph,
    state: RunState,
    runtime: Runtime,
    context: RunContext,
    shared: Shared,
    *,
    is_end: bool,
) -> OpenedRun | None:
    """Resume a run, if it has stopped and its orchestrator goes on with it.

    Args:
        graph: The graph of the run.
        state: What is recorded of it.
        runtime: How functions are called.
        context: Describes the run, and what its orchestrator wants.
        shared: What the runs of the container share.
        is_end: Whether this process only ends it, or one of its branches.

    Returns:
        None if it goes on as it is.

    Raises:
        RunLogExistsError: If it should be a new run.
        RetryValidationError: If it cannot be resumed.
        RunError: If another workflow, or none, has begun it.
    """
    is_new = not await runtime.off_loop(partial(_has_begun_here, state, context))
    if is_new and not context.must_be_new:
        raise RunError(
            f"run {context.run_id!r} is left alone: this workflow has neither begun "
            "nor resumed it"
        )
    if is_new and not context.is_retry:
        raise RunLogExistsError(context.run_id)
    if is_end or state.has_succeeded or not (is_new or state.is_over):
        return None
    code = await code_identity(shared, runtime)
    seen = state.count if state.is_over else None
    try:
        return await resume(
            graph, {}, runtime, context, code, launches_steps=True, seen=seen
        )
    except (RunLogContinuedError, RetryValidationError):
        # A step that was started at the same time may have been first.
        read = partial(_is_resumed_here, context)
        if is_new or not await runtime.off_loop(read):
            raise
        return None


def _has_begun_here(state: RunState, context: RunContext) -> bool:
    """Return whether this workflow has begun the run already, or has resumed it."""
    workflow = context.code_ids.get("argo")
    if workflow is None:
        # An orchestrator that does not say which workflow it is, is trusted.
        return not context.must_be_new
    if state.started is not None and _is_of(state.started, workflow):
        return True
    records = context.run_log_store.read(context.run_id, 0)
    resumptions = (it for it in records if isinstance(it, RunResumed))
    return any(_is_of(it, workflow) for it in resumptions)


def _is_of(record: RunStarted | RunResumed, workflow: str) -> bool:
    return any(
        it.code_identifier_type == "argo" and it.code_identifier == workflow
        for it in record.code
    )


def _is_resumed_here(context: RunContext) -> bool:
    state = context.run_log_store.state(context.run_id)
    return not state.is_over and _has_begun_here(state, context)


def settle(address: Address, env: RunEnvironment) -> None:
    """Record as failed what was cut off before a step, and open what the step is in.

    Args:
        address: The step.
        env: The environment of the run.
    """
    scope, own = address.scope.path, f"{address.path}."
    state = env.state
    lost = [it for it in state.open_below(scope) if not f"{it.path}.".startswith(own)]
    paths = [it.path for it in lost]
    if paths:
        close_dead_attempts(env.services.catalog, env.run_id, state, paths)
        env.recorder.end_open(defaults.FAIL, _LOST, below=scope, but=address.path)
    for record in _openings(scope, state):
        env.recorder.record(record)


def _openings(branch: str, state: RunState) -> list[Record]:
    """Return the records that open a branch, and what it is in, where they are not."""
    if not branch:
        return []
    path = parent(branch)
    records = _openings(parent(path), state)
    step, scope = state.step(path), state.scope(branch)
    assert step is not None  # noqa: S101 - it was located
    assert scope is not None  # noqa: S101 - as above
    if path not in state.open and step.status != defaults.SUCCESS:
        it = step.started
        records.append(StepStarted(now(), path, it.name, it.step_type, 0))
    if branch not in state.open and scope.status != defaults.SUCCESS:
        records.append(BranchStarted(now(), branch, scope.variables, scope.texts))
    return records


async def end_scope(graph: Graph, path: str, env: RunEnvironment) -> None:
    """Record the end of a branch, or of the run, whose processes have all ended.

    Args:
        graph: Its graph.
        path: Of the branch; empty for the run.
        env: The environment of the run.
    """
    env.recorder.end_open(defaults.FAIL, _LOST, below=path)
    scope = ParameterScope(path, {})
    while True:
        *_, command = env.state.walk(graph, path)
        match command:
            case RunNode(SuccessNode() | FailNode() as node):
                await run_terminal(node, scope, env)
                return
            case RunNode(node):
                number = 0 if isinstance(node, CompositeNode) else 1
                step = join(path, node.name)
                env.recorder.fail_step(node, step, number, _NOT_STARTED)
            case _:
                ended = defaults.SUCCESS if command == Finish(True) else defaults.FAIL
                env.recorder.record(end_of(path, ended, env))
                return


async def run_terminal(
    node: SuccessNode | FailNode, scope: ParameterScope, env: RunEnvironment
) -> None:
    """Run a terminal step, and record the end of the branch or run that it is in.

    Args:
        node: The step.
        scope: The scope that it is in.
        env: The environment of the run.
    """
    await end_graph(node, scope, env)
    status = terminal_status(node)
    await env.record(end_of(scope.path, status, env))


def terminal_status(node: SuccessNode | FailNode) -> str:
    """Return the status of a run, or a branch, that ends at a terminal step."""
    return defaults.SUCCESS if isinstance(node, SuccessNode) else defaults.FAIL


def end_of(branch: str, status: str, env: RunEnvironment) -> Record:
    """Make the record of the end of a branch, or of the run if it has no path."""
    if branch:
        return BranchFinished(at=now(), path=branch, status=status)
    return end_of_run(status, env.state, env.masker)
