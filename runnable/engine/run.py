"""Run one pipeline or job, from its first record to its last."""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import ParamSpec

from runnable import defaults
from runnable.capture import active_run
from runnable.concurrency import held_signals
from runnable.context import PipelineContext, RunContext
from runnable.datastore import AnyParameter, RunFinished, RunLog
from runnable.engine.cluster_check import check_cluster
from runnable.engine.earlier_inputs import EarlierInputs
from runnable.engine.environment import (
    Recording,
    RunEnvironment,
    Shared,
    build_environment,
)
from runnable.engine.error_texts import short_text, type_and_text
from runnable.engine.errors import ExecutionFailedError
from runnable.engine.kept_log import KeptLog
from runnable.engine.leases import RunLease
from runnable.engine.opening import OpenedRun, code_identity, resume, start
from runnable.engine.parameter_scope import Failure, ParameterScope
from runnable.engine.recorder import UnrecordedError, end_of_run, now
from runnable.engine.run_graph import run_graph
from runnable.engine.runtimes import Runtime
from runnable.engine.step_limits import check_limits, limiters_of
from runnable.errors import ConfigurationError, RunnableError
from runnable.events import Warned
from runnable.executor import ExecutionOptions
from runnable.graph import Graph

logger = logging.getLogger(__name__)

P = ParamSpec("P")

_MOST_INTERRUPTIONS = 3
_MANY_RECORDS = 500
"""Reading so many takes long enough to be done where no event loop waits."""


async def run(
    graph: Graph,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    context: RunContext,
    shared: Shared,
    options: ExecutionOptions,
    *,
    inputs: EarlierInputs | None = None,
) -> RunLog:
    """Run a pipeline, or a job, which is a graph of one step.

    Args:
        graph: Its graph.
        parameters: Those it starts with; a resumed run uses the recorded ones.
        runtime: How functions are called.
        context: Describes the run; has its services.
        shared: What the runs of the container share.
        options: How the executor wants steps to be run.
        inputs: What it gets of an earlier run.

    Returns:
        The log of the run.

    Raises:
        ExecutionFailedError: If the run ended in failure.
        RunLogExistsError: If the run id has been used.
        RetryValidationError: If a run cannot be resumed.
        ConfigurationError: If a step takes what no limit has.
    """
    store, run_id = context.services.run_log_store, context.run_id
    scarce = check_limits(graph, shared, context)
    with (
        RunLease(store, shared.heartbeats, run_id, exclusive=context.is_retry) as lease,
        shared.files_in_use.used_by(context, graph, options.workspace) as conflict,
    ):
        opened, env = await _open(graph, parameters, runtime, context, shared, options)
        lease.beat_with(env.recorder)
        environment = context.environment()
        scope = ParameterScope("", dict(opened.parameters), environment=environment)
        problems: list[Exception] = []
        status, succeeded = defaults.CANCELLED, False
        try:
            _notify_opened(opened, env)
            for warning in filter(None, (conflict, scarce)):
                env.warn("", warning)
            _set_conclude(context, partial(_conclude_lost, env))
            with active_run():
                succeeded = await _run_steps(inputs, graph, scope, env)
            if env.workers.were_started:
                # Waits for processes to end: not on an event loop, if it can be helped.
                await env.off_loop(env.workers.close)
            status = defaults.SUCCESS if succeeded else defaults.FAIL
        except Exception as error:  # noqa: BLE001 - a store failed; raised later
            problems.append(unwrapped(error))
            status = defaults.FAIL
        except BaseException as interruption:
            # The log of an interrupted run is there for its readers.
            await _conclude_interrupted(env, status, problems)
            for problem in problems:
                interruption.add_note(
                    f"could not be recorded: {type_and_text(problem)}"
                )
            raise
        run_log = await _conclude(env, status, problems)
        if problems or not succeeded or run_log is None:
            raise _failed(env, run_log, scope.failure, problems)
        return run_log


async def _run_steps(
    inputs: EarlierInputs | None,
    graph: Graph,
    scope: ParameterScope,
    env: RunEnvironment,
) -> bool:
    """Run the steps, with what the run gets of an earlier one."""
    if inputs is not None:
        try:
            await env.off_loop(inputs.bring, env.run_id, env.services.catalog)
        except (RunnableError, OSError) as error:
            scope.failure = Failure(graph.start_at, error)
            return False
    return await run_graph(graph, scope, env)


async def _open(
    graph: Graph,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    context: RunContext,
    shared: Shared,
    options: ExecutionOptions,
) -> tuple[OpenedRun, RunEnvironment]:
    """Start or resume a run, and make its environment."""
    if isinstance(context, PipelineContext):
        context.set_graph(graph)
    context.object_serialisation = options.store_objects
    if options.shares_journal:
        _check_store_is_shared(context)
    if options.cluster is not None:
        check = partial(check_cluster, options.cluster, graph, context.services)
        await runtime.off_loop(check)
    # First, so that the first record names its owner and code at once.
    code = await code_identity(shared, runtime)
    launches_steps = options.shares_journal
    # Subscribers are told of each record when it is written, and the processes of
    # launched steps read it.
    holds = not context.subscribers and options.launcher is None
    kept: KeptLog | None = None
    if context.is_retry:
        opened = await resume(
            *(graph, parameters, runtime, context, code),
            launches_steps=launches_steps,
        )
    else:
        if options.launcher is None:
            kept = KeptLog(context.services.run_log_store)
        opened = await start(
            *(parameters, runtime, context, code),
            launches_steps=launches_steps,
            kept=kept,
        )
    env = build_environment(
        context,
        runtime,
        Recording(opened.journal, opened.state, kept, holds),
        options=options,
        limiters=limiters_of(shared, context),
        shared=shared,
    )
    return opened, env


def _check_store_is_shared(context: RunContext) -> None:
    store = context.services.run_log_store
    if not store.is_shared or getattr(store, "durability", "") == "none":
        kind = context.services.executor.service_name
        problem = (
            f"the executor {kind!r} runs steps in processes of their own, which cannot "
            "see a run log store in memory, nor one with `durability: none`; use "
            "file-system, sqlite or another one, with `durability: process`"
        )
        raise ConfigurationError(problem)


def _notify_opened(opened: OpenedRun, env: RunEnvironment) -> None:
    env.recorder.notify(opened.record)
    for note in opened.notes:
        logger.warning("Run %r is resumed: %s", env.run_id, note)
        env.recorder.notify(Warned("", note))


async def _conclude_interrupted(
    env: RunEnvironment, status: str, problems: list[Exception]
) -> None:
    """Record the end, also if the user presses Ctrl-C again, and again."""
    for _ in range(_MOST_INTERRUPTIONS):
        # One that comes before they are held begins it once more.
        with suppress(KeyboardInterrupt), held_signals():
            await _conclude(env, status, problems)
            return


async def _conclude(
    env: RunEnvironment, status: str, problems: list[Exception]
) -> RunLog | None:
    """Record the end of a run, and read its log back."""
    _set_conclude(env.context, None)
    _collect(problems, env.close)
    store = env.services.run_log_store
    await env.ask(store, _record_end, env, status, problems)
    if env.state.count > _MANY_RECORDS:
        return await env.off_loop(_read_back, env, problems)
    return await env.ask(store, _read_back, env, problems)


def _set_conclude(context: RunContext, conclude: Callable[[], None] | None) -> None:
    """Set what records the end of the run if its event loop is closed."""
    run = context.run
    assert run is not None  # noqa: S101 - it is current
    run.conclude = conclude


def _conclude_lost(env: RunEnvironment) -> None:
    """Record the end of a run that can never continue: its event loop is closed."""
    problems: list[Exception] = []
    _collect(problems, env.close)
    reason = "its event loop was closed"
    _record_end(env, defaults.CANCELLED, problems, reason)
    _read_back(env, problems)
    for problem in problems:
        logger.error("Run %r: not recorded, after %s: %s", env.run_id, reason, problem)


def _record_end(
    env: RunEnvironment,
    status: str,
    problems: list[Exception],
    reason: str = "it was left behind",
) -> None:
    recorder = env.recorder
    # Calls that could not be interrupted in time can record nothing from here on.
    if not recorder.is_over:
        _collect(problems, recorder.end_open, status, reason)
        _collect(problems, recorder.record, end_of_run(status, env.state, env.masker))
    if not recorder.is_over and not recorder.is_certain:
        # What was to be written with it could not be: the end alone may be.
        failed = RunFinished(at=now(), status=defaults.FAIL)
        _collect(problems, recorder.record, failed)


def _read_back(env: RunEnvironment, problems: list[Exception]) -> RunLog | None:
    """Close the journal, and make the run log that it adds up to."""
    store, run_id = env.services.run_log_store, env.run_id
    _collect(problems, env.recorder.close)
    try:
        if env.kept is not None and env.recorder.is_certain:
            run_log = env.kept.run_log(run_id, env.state, env.loader)
        else:
            run_log = store.get_run_log_by_id(run_id, full=True, loader=env.loader)
    except Exception as problem:  # noqa: BLE001 - collected, raised later
        problems.append(problem)
        return None
    run_log.bind(env.loader)
    _collect(problems, store.finish, run_log)
    return run_log


def _collect(
    problems: list[Exception],
    function: Callable[P, object],
    *args: P.args,
    **kwargs: P.kwargs,
) -> None:
    try:
        function(*args, **kwargs)
    except Exception as problem:  # noqa: BLE001 - collected, raised later
        problems.append(unwrapped(problem))


def unwrapped(problem: Exception) -> Exception:
    """Return why something could not be recorded, if that is what the problem is."""
    cause = problem.__cause__ if isinstance(problem, UnrecordedError) else None
    return cause if isinstance(cause, Exception) else problem


def _failed(
    env: RunEnvironment,
    run_log: RunLog | None,
    failure: Failure | None,
    problems: list[Exception],
) -> ExecutionFailedError:
    """Make the error of a failed run; its cause is the user's exception, if any."""
    cause: BaseException | None = failure.error if failure else None
    reason = "it ended at its fail node"
    if failure is not None:
        what = "the job" if run_log and run_log.job else f"step {failure.path!r}"
        reason = f"{what}: {type_and_text(failure.error)}"
    if problems:
        texts = "; ".join(type_and_text(problem) for problem in problems)
        store = f"what happened could not be recorded: {texts}"
        reason = f"{reason}; and {store}" if failure else store
        cause = cause or problems[0]
    reason = short_text(reason, env.masker)
    error = ExecutionFailedError(env.run_id, run_log, reason)
    error.__cause__ = cause
    return error
