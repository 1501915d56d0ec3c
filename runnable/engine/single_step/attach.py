"""Join a run for one of its steps, or start the run with it.

Theory of operation. The state of the run is read, and what cannot be run is refused.
Then the step is claimed by a record, and what was recorded meanwhile is read: of
several processes that claim a step, the first one in the journal has it, and nothing
has happened unseen.
"""

import contextlib
from collections.abc import AsyncGenerator, Generator, Mapping
from functools import partial
from typing import NamedTuple

from runnable import defaults
from runnable.capture import active_run
from runnable.context import RunContext
from runnable.datastore import AnyParameter, BaseRunLogStore, Journal
from runnable.engine.environment import (
    Recording,
    RunEnvironment,
    Shared,
    build_environment,
)
from runnable.engine.leases import RunLease
from runnable.engine.opening import (
    check_same_pipeline,
    code_identity,
    lost_values,
    read_secrets_again,
    run_started,
)
from runnable.engine.process_identity import owner_of_step, this_process
from runnable.engine.recorder import UnrecordedError, now
from runnable.engine.replaced_files import close_dead_attempts
from runnable.engine.run import unwrapped
from runnable.engine.runtimes import Runtime
from runnable.engine.single_step.address import (
    Address,
    StepName,
    check_turn,
    locate,
)
from runnable.engine.single_step.in_order import resumed, settle, terminal_status
from runnable.engine.single_step.single_step import SingleStep
from runnable.errors import RunError
from runnable.executor import ExecutionOptions
from runnable.graph import FailNode, SuccessNode
from runnable.journal import (
    Claim,
    RunResumed,
    RunStarted,
    RunState,
    StepClaimed,
    StepReleased,
)
from runnable.scope.clock import seconds


@contextlib.asynccontextmanager
async def attached(
    step: StepName,
    state: RunState | None,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    context: RunContext,
    shared: Shared,
    options: ExecutionOptions,
) -> AsyncGenerator[SingleStep]:
    """Join a run for one of its steps; start the run if it has not started.

    Args:
        step: The step.
        state: What is recorded of the run; None if there is no such run yet.
        parameters: Those that the run starts with, if this is its first step.
        runtime: How functions are called.
        context: Describes the run.
        shared: What the runs of the container share.
        options: How the executor wants steps to be run.

    Yields:
        The step.

    Raises:
        RetryValidationError: If the pipeline is not the one that the run started with.
        NodeNotFoundError: If there is no such step.
        RunError: If the step cannot be run now.
    """
    context.set_graph(step.graph)
    store, run_id = context.services.run_log_store, context.run_id
    runs_here = shared.heartbeats.has(store.key(run_id))
    joined = await _joined(step, state, parameters, runtime, context, shared)
    state, first = joined.state, joined.first
    with joined.closed_on_error():
        address = _checked(step, state, context, runs_here=runs_here)
        journal = joined.open(store, run_id)
    env = _environment(journal, state, runtime, context, shared, options)
    read_secrets_again(state, step.graph, context)
    try:
        if first is not None:
            env.recorder.notify(first)
        claimed = (
            contextlib.nullcontext(address)
            if has_succeeded(address, state)
            else _claimed(step, address, env, shared, runs_here=runs_here)
        )
        with claimed as address, active_run():
            done = has_succeeded(address, env.state)
            in_order = step.in_order
            yield SingleStep(env, address, has_succeeded=done, in_order=in_order)
    except UnrecordedError as error:
        raise unwrapped(error) from error
    finally:
        _leave(first, env)
        env.close()
        env.recorder.close()
    if env.state.is_over:
        # Have the store keep its snapshot.
        store.finish(store.get_run_log_by_id(run_id, loader=env.loader))


class _Joined(NamedTuple):
    state: RunState
    first: RunStarted | RunResumed | None
    """The record by which this process begins or resumes the run, if it does."""
    journal: Journal | None
    """With this record in it, if it has been written."""

    def open(self, store: BaseRunLogStore, run_id: str) -> Journal:
        if self.journal is not None:
            return self.journal
        if self.first is not None:
            return store.create(run_id, self.first)
        return store.join(run_id)

    @contextlib.contextmanager
    def closed_on_error(self) -> Generator[None]:
        try:
            yield
        except BaseException:
            if self.journal is not None:
                self.journal.close()
            raise


def _leave(first: RunStarted | RunResumed | None, env: RunEnvironment) -> None:
    """Record that the process that began or resumed a run does not have it any more."""
    if first is not None and not env.recorder.is_over:
        # Nobody has it between its steps.
        env.recorder.record(StepReleased(now(), "", *this_process()))


async def _joined(
    step: StepName,
    state: RunState | None,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    context: RunContext,
    shared: Shared,
) -> _Joined:
    """Decide whether a process begins, resumes or just joins the run."""
    if state is None:
        code = await code_identity(shared, runtime)
        first = run_started(context, parameters, code, launches_steps=True)
        return _Joined(RunState([first]), first, None)
    again = step.in_order and await resumed(
        step.graph, state, runtime, context, shared, is_end=step.is_end
    )
    if not again:
        if step.in_order and state.is_over and not state.has_succeeded:
            # A step that was started at the same time may have resumed it.
            store, run_id = context.run_log_store, context.run_id
            state = await runtime.off_loop(partial(store.state, run_id))
        return _Joined(state, None, None)
    return _Joined(again.state, again.record, again.journal)


def _environment(
    journal: Journal,
    state: RunState,
    runtime: Runtime,
    context: RunContext,
    shared: Shared,
    options: ExecutionOptions,
) -> RunEnvironment:
    # The step runs here, whatever the executor does with those of a whole run; who has
    # launched it holds its slots.
    return build_environment(
        context,
        runtime,
        Recording(journal, state),
        options=options._replace(launcher=None, cluster=None),
        shared=shared,
        steps_apart=True,
    )


def _checked(
    step: StepName,
    state: RunState,
    context: RunContext,
    mine: Claim | None = None,
    *,
    runs_here: bool,
) -> Address:
    """Locate a step; refuse it if it cannot be run now.

    Args:
        step: The step.
        state: The state of the run.
        context: Describes the run.
        mine: The claim of this process, if it has claimed the step already.
        runs_here: Whether the run was active in this process before that.
    """
    run_id = context.run_id
    if state.started is None and not state.ownership.is_deleting:
        why = "it has only just started, or its store keeps nothing before its end"
        raise RunError(f"run {run_id!r} cannot be joined: {why}")
    check_same_pipeline(run_id, state, step.graph, "it is another one")
    address = locate(step, state, context)
    lost = "; ".join(lost_values(state))
    if lost and not isinstance(address.node, SuccessNode | FailNode):
        raise RunError(f"step {address.path!r} cannot be run: {lost}")
    if not step.in_order or (mine is not None and not step.is_end):
        check_turn(address, state)
    owner = owner_of_step(
        state.ownership,
        address.path,
        mine,
        runs_here=runs_here,
        in_order=step.in_order,
    )
    if owner is not None and not has_succeeded(address, state):
        why = f"{owner} runs it; wait for its end, or end it"
        raise RunError(f"step {address.path!r} cannot be run: {why}")
    return address


def has_succeeded(address: Address, state: RunState) -> bool:
    """Return whether a step has succeeded, so that it is not run again.

    Args:
        address: The step.
        state: The state of the run.
    """
    node = address.node
    if isinstance(node, SuccessNode | FailNode):
        scope = state.scope(address.scope.path)
        return scope is not None and scope.status == terminal_status(node)
    recorded = state.step(address.path)
    return recorded is not None and recorded.status == defaults.SUCCESS


@contextlib.contextmanager
def _claimed(
    step: StepName,
    address: Address,
    env: RunEnvironment,
    shared: Shared,
    *,
    runs_here: bool,
) -> Generator[Address]:
    """Claim a step for this process, for the length of a `with` block.

    Yields:
        The step, in the state that it has after the claim.
    """
    path, context, owner = address.path, env.context, this_process()
    store, recorder = env.services.run_log_store, env.recorder
    claim = StepClaimed(now(), path, *owner, seconds())
    seen = env.state.count
    # What others have recorded meanwhile is applied in the order of the journal.
    recorder.write_among_others(claim, lambda: store.read(env.run_id, seen))
    try:
        with RunLease(store, shared.heartbeats, env.run_id) as lease:
            lease.beat_with(recorder)
            store.keep_state(env.run_id, env.state)
            mine = Claim.of(claim)
            if step.in_order and not env.state.is_over:
                settle(address, env)
            address = _checked(step, env.state, context, mine, runs_here=runs_here)
            close_dead_attempts(env.services.catalog, env.run_id, env.state, [path])
            yield address
    finally:
        if not recorder.is_over:
            recorder.record(StepReleased(now(), path, *owner))
