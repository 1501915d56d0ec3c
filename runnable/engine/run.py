"""One run, from its first record to its last."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, ParamSpec

from runnable import defaults
from runnable.ambient import active_run
from runnable.context import RunContext
from runnable.datastore import (
    AnyParameter,
    CodeIdentity,
    Journal,
    ObjectLoader,
    RunFinished,
    RunLog,
)
from runnable.engine.attempt import settle_all
from runnable.engine.branches import run_branches, traverse
from runnable.engine.claimed import Claimed
from runnable.engine.history import NO_HISTORY, History
from runnable.engine.recorder import Recorder, UnrecordedError, now
from runnable.engine.resume import check
from runnable.engine.runtimes import Runtime
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import (
    AS_USUAL,
    Conditions,
    Services,
    Session,
    Who,
    ask,
    is_local,
    run_started,
)
from runnable.engine.step import in_one_line, run_step
from runnable.engine.traversal import Outcome
from runnable.events import Warned
from runnable.exceptions import ExecutionFailedError
from runnable.graph import Graph, JobNode
from runnable.runs import Limiter

logger = logging.getLogger(__name__)

P = ParamSpec("P")

_MANY_RECORDS = 500
"""Reading so many takes long enough to be done where no event loop waits."""


async def run(
    work: Graph | JobNode,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    services: Services,
    context: RunContext,
    conditions: Conditions = AS_USUAL,
    *,
    continued: bool = False,
) -> RunLog:
    """Run a pipeline, or the one task of a job.

    Args:
        work: The graph of the pipeline, or the task.
        parameters: Those it starts with.
        runtime: How functions are called.
        services: Where everything is kept.
        context: Describes the run.
        conditions: How it is to go on.
        continued: Whether the run has been begun before: it goes on with the recorded
            parameters, and what is recorded to have ended is not run again.

    Returns:
        The log of the run.

    Raises:
        ExecutionFailedError: If the run ended in failure.
        RunLogExistsError: If the run id has been used.
        RetryValidationError: If a run cannot go on; see `resume.check`.
    """
    if isinstance(work, Graph):
        context.set_graph(work)
    begin = _resume if continued else _begin
    with Claimed(services, context.run_id, continued=continued) as claimed:
        # First: what has been begun is said at once to be whose it is.
        code = await code_of(services, runtime)
        who = Who(code, in_parts=conditions.elsewhere is not None)
        begun = await begin(work, parameters, runtime, services, context, who)
        scope = Scope("", dict(begun.parameters), environment=context.environment())
        session = make_session(begun, runtime, services, context, conditions)
        _tell_notes(begun.notes, session)
        problems: list[Exception] = []
        claimed.beat_by(session.recorder)
        try:
            succeeded = await _run_recorded(work, scope, session, who, problems)
        except BaseException as interruption:
            # The log of an interrupted run is there for whoever reads it.
            await _concluded(session, problems)
            for problem in problems:
                interruption.add_note(f"could not be recorded: {in_one_line(problem)}")
            raise
    return await _outcome(session, scope.failure, problems, succeeded=succeeded)


async def _outcome(
    session: Session,
    failure: Failure | None,
    problems: list[Exception],
    *,
    succeeded: bool,
) -> RunLog:
    """Return what a run came to; raise if that is no success."""
    run_log = await _concluded(session, problems)
    if problems or not succeeded or run_log is None:
        raise _failed(session, run_log, failure, problems)
    return run_log


def make_session(
    begun: "Begun",
    runtime: Runtime,
    services: Services,
    context: RunContext,
    conditions: Conditions,
) -> Session:
    """Make what the engine holds while a run goes on.

    Args:
        begun: The run, whose journal is open.
        runtime: How functions are called.
        services: Where everything is kept.
        context: Describes the run.
        conditions: How it is to go on.
    """
    keeps_objects = context.object_serialisation and services.catalog.keeps_objects
    in_memory = context.return_objects
    return Session(
        loader=ObjectLoader(
            context.run_id, services.catalog, services.pickler, in_memory
        ),
        context=context,
        services=services,
        runtime=runtime,
        recorder=Recorder(begun.journal, context.subscribers),
        conditions=conditions,
        masker=context.masker,
        history=begun.past,
        step_turns=_step_turns(services, context),
        objects=None if keeps_objects else in_memory,
        is_recorded_here=is_local(services.run_log_store),
        stores_objects=keeps_objects and begun.past.count > 0,
    )


def _step_turns(services: Services, context: RunContext) -> Limiter | None:
    turns = services.runs.step_turns
    return None if services.runs.has_place(turns, context.run) else turns


def _tell_notes(notes: Sequence[str], session: Session) -> None:
    for note in notes:
        logger.warning("Run %r is resumed: %s", session.context.run_id, note)
        session.recorder.tell(Warned("", note))


async def _run_recorded(
    work: Graph | JobNode,
    scope: Scope,
    session: Session,
    who: Who,
    problems: list[Exception],
) -> bool:
    """Run something between the first record of a run and its last."""
    status, succeeded = defaults.CANCELLED, False
    try:
        if session.history.started is None:
            parameters = scope.parameters.copy()
            await session.record(run_started(session.context, parameters, who))
        with active_run():
            if isinstance(work, Graph):
                succeeded = await traverse(work, scope, session)
            else:
                outcome = await run_step(work, scope, session, run_branches)
                succeeded = outcome is Outcome.SUCCEEDED
        if session.workers.were_started:
            # Waits for processes to end: not on an event loop, if it can be helped.
            await session.off_loop(session.workers.close)
        status = defaults.SUCCESS if succeeded else defaults.FAIL
    except Exception as problem:  # noqa: BLE001 - a store failed; collected, raised later
        problems.append(unwrapped(problem))
        status = defaults.FAIL
    finally:
        _collect(problems, session.workers.close)
        store = session.services.run_log_store
        await session.ask(store, _record_end, session.recorder, status, problems)
    return succeeded


def _record_end(recorder: Recorder, status: str, problems: list[Exception]) -> None:
    # What could not be ended in time: it can say nothing more from here on.
    _collect(problems, recorder.end_open, status, "it was left behind")
    _collect(problems, recorder.record, RunFinished(at=now(), status=status))


class Begun(NamedTuple):
    """A run whose journal is open."""

    journal: Journal
    past: History
    notes: Sequence[str]
    """What is not as it was."""
    parameters: Mapping[str, AnyParameter]


async def _begin(
    work: Graph | JobNode,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    services: Services,
    context: RunContext,
    who: Who,
) -> Begun:
    """Begin a new run."""
    del work, who
    store, run_id = services.run_log_store, context.run_id
    journal = await ask(runtime, store, partial(store.create, run_id))
    return Begun(journal, NO_HISTORY, (), parameters)


async def _resume(
    work: Graph | JobNode,
    given: Mapping[str, AnyParameter],
    runtime: Runtime,
    services: Services,
    context: RunContext,
    who: Who,
) -> Begun:
    """Go on with a run that was begun before, if that may be."""
    assert isinstance(work, Graph)  # noqa: S101 - a job is not resumed
    store, run_id = services.run_log_store, context.run_id

    def read() -> History:
        return History(store.read(run_id))

    # A long journal takes a while to be read: not on an event loop.
    history = await runtime.off_loop(read)
    stopped = check(run_id, history, work, given)
    first = stopped.record(who)
    reopen = partial(store.reopen, run_id, first, history.count)
    journal = await runtime.off_loop(reopen)
    settle = partial(settle_all, services.catalog, run_id, history)
    await runtime.off_loop(settle)
    notes = [first.message] if first.message else []
    return Begun(journal, history, notes, stopped.parameters)


async def code_of(services: Services, runtime: Runtime) -> CodeIdentity:
    """Return which version of the code runs here.

    Args:
        services: Know it, if it has been asked for.
        runtime: Asks for it.
    """
    versions = services.code_versions
    version = versions.known()
    if version is None:
        version = await runtime.off_loop(versions.ask)
    return CodeIdentity.of(version)


async def _concluded(session: Session, problems: list[Exception]) -> RunLog | None:
    if session.recorder.count > _MANY_RECORDS:
        return await session.off_loop(_conclude, session, problems)
    store = session.services.run_log_store
    return await session.ask(store, _conclude, session, problems)


def _conclude(session: Session, problems: list[Exception]) -> RunLog | None:
    """Close the journal, and read back and hand on what it says."""
    store, run_id = session.services.run_log_store, session.context.run_id
    _collect(problems, session.recorder.close)
    try:
        run_log = store.get_run_log_by_id(run_id, full=True, loader=session.loader)
    except Exception as problem:  # noqa: BLE001 - collected, raised later
        problems.append(problem)
        return None
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
    session: Session,
    run_log: RunLog | None,
    failure: Failure | None,
    problems: list[Exception],
) -> ExecutionFailedError:
    """Make the error that says why a run failed; its cause is the user's, if any."""
    cause: BaseException | None = failure.error if failure else None
    reason = "it ended at its fail node"
    if failure is not None:
        what = "the job" if run_log and run_log.job else f"step {failure.path!r}"
        reason = f"{what}: {in_one_line(failure.error)}"
    if problems:
        texts = "; ".join(in_one_line(problem) for problem in problems)
        store = f"what happened could not be recorded: {texts}"
        reason = f"{reason}; and {store}" if failure else store
        cause = cause or problems[0]
    reason = session.masker.text(reason)
    error = ExecutionFailedError(session.context.run_id, run_log, reason)
    error.__cause__ = cause
    return error
