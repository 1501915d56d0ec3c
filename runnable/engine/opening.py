"""Open a run: start a new one, or resume one that has stopped.

Theory of operation. A run that is active somewhere must not be resumed; whether it is,
its owners tell. Between reading and resuming, another process may resume it first: the
store accepts the record that resumes a run only if it has as many records as were seen.
What steps do must be unchanged; how they run may change. `RunState` decides which steps
are run again. Secrets that the run has read are read again, so that they stay masked.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, cast

from pydantic import JsonValue

from runnable.context import RunContext
from runnable.datastore import Journal
from runnable.datastore.errors import RetryValidationError, RunLogContinuedError
from runnable.engine.earlier_inputs import secrets_of_part
from runnable.engine.environment import Shared, is_local
from runnable.engine.errors import ExecutionFailedError
from runnable.engine.kept_log import KeptLog
from runnable.engine.process_identity import other_owner, this_process
from runnable.engine.recorder import now
from runnable.engine.replaced_files import close_dead_attempts
from runnable.engine.runtimes import Runtime
from runnable.engine.secret_values import hidden_names, masked
from runnable.errors import RunnableError
from runnable.graph import Graph, JobNode, TaskNode, changes, node_at
from runnable.journal import (
    AnyParameter,
    CodeIdentity,
    Retention,
    RunDeleting,
    RunResumed,
    RunStarted,
    RunState,
)
from runnable.scope.clock import seconds
from runnable.secrets.errors import SecretNotFoundError
from runnable.system.main_program import main_reference, script
from runnable.system.program_environment import program_environment
from runnable.tasks import BaseTaskType

_SHOWN = 20


class OpenedRun(NamedTuple):
    """A run whose journal is open, with its first or resuming record in it."""

    journal: Journal
    state: RunState
    record: RunStarted | RunResumed
    """The record that started or resumed it."""
    parameters: Mapping[str, AnyParameter]
    """The parameters it starts with."""
    notes: tuple[str, ...] = ()
    """Differences from the start of a resumed run."""


async def start(
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    context: RunContext,
    code: CodeIdentity,
    *,
    launches_steps: bool,
    kept: KeptLog | None = None,
) -> OpenedRun:
    """Start a new run.

    Args:
        parameters: Those it starts with.
        runtime: How functions are called.
        context: Describes the run.
        code: The version of the code.
        launches_steps: Whether other processes run its steps.
        kept: Gets what its log is made of.

    Raises:
        RunLogExistsError: If the run id has been used.
        ExecutionFailedError: If the store fails.
    """
    store = context.services.run_log_store
    record = run_started(context, parameters, code, launches_steps=launches_steps)
    create = partial(store.create, context.run_id, record)
    try:
        journal = create() if is_local(store) else await runtime.off_loop(create)
    except RunnableError:
        raise
    except Exception as error:
        # Whatever a store raises: the run does not exist then.
        reason = f"it could not be started: {type(error).__name__}: {error}"
        raise ExecutionFailedError(context.run_id, None, reason) from error
    # Results of steps that others run are taken from the state.
    retention = Retention.PATH if launches_steps else Retention.LATEST
    view = kept.view if kept is not None else None
    state = view.state if view is not None else RunState(retention=retention)
    if kept is not None:
        kept.begin(journal, record)
    state.add(record)
    return OpenedRun(journal, state, record, parameters)


async def resume(
    graph: Graph,
    given: Mapping[str, AnyParameter],
    runtime: Runtime,
    context: RunContext,
    code: CodeIdentity,
    *,
    launches_steps: bool,
    seen: int | None = None,
) -> OpenedRun:
    """Resume a run that has stopped.

    Args:
        graph: The graph that continues.
        given: Parameters that the caller gives; the recorded ones are used.
        runtime: How functions are called.
        context: Describes the run.
        code: The version of the code.
        launches_steps: Whether other processes run its steps.
        seen: How many records it had when the caller decided so; any number if None.

    Raises:
        RetryValidationError: If the run is active, its graph has changed, or a value
            that it needs was not stored.
        RunLogContinuedError: If another process was first.
    """
    store, run_id = context.services.run_log_store, context.run_id
    # A long journal takes a while to be read: not on an event loop.
    state = await runtime.off_loop(partial(store.state, run_id))
    if seen not in {None, state.count}:
        raise RunLogContinuedError(run_id)
    check_resumable(run_id, state, graph)
    assert state.started is not None  # noqa: S101 - checked just now
    notes = [
        *_other_parameters(state.started.parameters, given),
        *_other_tags(state.started, context),
        *_other_code(state.started, code),
        *await runtime.off_loop(partial(read_secrets_again, state, graph, context)),
    ]
    message = "; ".join(notes)
    owner = this_process()
    codes = [code, *_other_identities(context)]
    record = RunResumed(now(), codes, *owner, seconds(), message, launches_steps)
    reopen = partial(store.reopen, run_id, record, state.count)
    journal = await runtime.off_loop(reopen)
    state.add(record)
    settle = partial(close_dead_attempts, context.services.catalog, run_id, state)
    await runtime.off_loop(settle)
    initial = state.started.parameters
    return OpenedRun(journal, state, record, initial, tuple(notes))


def run_started(
    context: RunContext,
    parameters: Mapping[str, AnyParameter],
    code: CodeIdentity,
    *,
    launches_steps: bool,
) -> RunStarted:
    """Make the first record of a run.

    Args:
        context: Describes the run.
        parameters: Those it starts with.
        code: The version of the code.
        launches_steps: Whether other processes run its steps.
    """
    graph, owner = context.dag, this_process()
    config = context.describe()
    if path := script():
        config["script"] = path
    if not context.reference:
        config["reference"] = main_reference()
    config["environment"] = program_environment()
    if graph is not None:
        config |= {"dag": graph.described, "dag_hash": graph.hash}
    # A nested run knows the secrets of the run around it.
    recorded = masked(parameters, context.masker)
    return RunStarted(
        at=now(),
        run_id=context.run_id,
        tag=context.masker.text(context.tag),
        dag_hash=context.dag_hash,
        parameters=recorded,
        run_config=cast("dict[str, JsonValue]", context.masker.json(config)),
        code=[code, *_other_identities(context)],
        host=owner.host,
        process_id=owner.process_id,
        process_began=owner.process_began,
        epoch_seconds=seconds(),
        launches_steps=launches_steps,
        masked=hidden_names(parameters, recorded),
        tags=context.masker.texts(context.tags),
        notes=context.masker.texts(context.notes),
    )


def _other_identities(context: RunContext) -> list[CodeIdentity]:
    """Return the identities of the image and the workflow, if there are any."""
    return [
        CodeIdentity(
            code_identifier=value,
            code_identifier_type=kind,
            code_identifier_dependable=True,
        )
        for kind, value in context.code_ids.items()
    ]


async def code_identity(shared: Shared, runtime: Runtime) -> CodeIdentity:
    """Return the version of the code that runs here; git is asked now and then."""
    known = shared.code_versions.known()
    if known is not None:
        return known
    return await runtime.off_loop(shared.code_versions.ask)


def check_resumable(run_id: str, state: RunState, graph: Graph) -> None:
    """Refuse to resume a run that is active, that has changed, or that lost values.

    Args:
        run_id: The id of the run.
        state: What is recorded of it.
        graph: The graph that is to continue.

    Raises:
        RetryValidationError: If it cannot be resumed.
    """
    owner = other_owner(state.ownership)
    if owner is not None:
        reason = f"it is active: {owner} runs it; wait for its end, or end it"
        raise RetryValidationError(run_id, reason)
    check_same_pipeline(run_id, state, graph, "start a new run, or undo")
    lost = "; ".join(lost_values(state))
    if lost:
        raise RetryValidationError(run_id, f"{lost}; start a new run")


def check_same_pipeline(
    run_id: str, state: RunState, graph: Graph, advice: str
) -> None:
    """Refuse to continue a run with another pipeline, or one that is being deleted.

    Args:
        run_id: The id of the run.
        state: What is recorded of it.
        graph: The graph that is to continue.
        advice: What to do about differences.

    Raises:
        RetryValidationError: If it cannot be continued.
    """
    if state.ownership.is_deleting:
        raise RetryValidationError(
            run_id, "its deletion started and did not finish; delete it again"
        )
    if state.started is None:
        reason = "nothing is recorded of it; execute it with this run id"
        raise RetryValidationError(run_id, reason)
    before: JsonValue = state.started.run_config.get("dag") or {}
    # A job is known by its digest; its run log has no graph.
    is_job = isinstance(graph.nodes.get(graph.start_at), JobNode)
    differences = [] if is_job else changes(before, graph.described)
    if differences:
        listed = "".join(f"\n    {line}" for line in differences[:_SHOWN])
        if len(differences) > _SHOWN:
            listed += f"\n    and {len(differences) - _SHOWN} more"
        reason = f"its pipeline has changed; {advice}:{listed}"
        raise RetryValidationError(run_id, reason)


def read_secrets_again(state: RunState, graph: Graph, context: RunContext) -> list[str]:
    """Read the secrets that steps of a run have read before, so that they are masked.

    Args:
        state: What is recorded of the run: names, never values.
        graph: Its graph, whose tasks declare secrets.
        context: Describes the run; has its masker.

    Returns:
        A sentence for each secret that is gone.
    """
    names = set(state.secret_names)
    for step in state.steps_below(""):
        node = node_at(graph, step.path)
        if isinstance(node, TaskNode) and isinstance(node.task, BaseTaskType):
            names.update(node.task.secrets)
    if state.started is not None:
        names.update(secrets_of_part(state.started))
    return learn_secrets(names, context)


def learn_secrets(names: Iterable[str], context: RunContext) -> list[str]:
    """Read secrets, so that they are masked in a run.

    Args:
        names: Theirs.
        context: Describes the run; has its masker.

    Returns:
        A sentence for each secret that is gone.
    """
    gone: list[str] = []
    for name in sorted(names):
        try:
            value = context.services.secrets.get(name)
        except SecretNotFoundError:
            gone.append(f"secret {name!r} is gone, so its value cannot be masked")
        else:
            context.masker.learn(name, value)
    return gone


def deletion_record() -> RunDeleting:
    """Return the record by which a run is deleted, for `BaseRunLogStore.reopen`."""
    return RunDeleting(now(), *this_process(), seconds())


def lost_values(state: RunState) -> Iterator[str]:
    """Yield a sentence for each value that was not recorded, so cannot be read again.

    Args:
        state: The state of a run.
    """
    for name in state.started.masked if state.started is not None else ():
        yield f"it started with {name!r} with a secret in it, which is not kept"
    for step in state.steps_below(""):
        if step.status:
            where = f"step {step.path!r} returned"
            for name in step.unrecorded:
                yield f"{where} {name!r} with a secret in it, which is not kept"
            for name in step.in_memory():
                yield f"{where} the object {name!r}, which was kept in memory only"


def _other_parameters(
    recorded: Mapping[str, AnyParameter], given: Mapping[str, AnyParameter]
) -> Iterator[str]:
    other = sorted(
        name
        for name, parameter in given.items()
        if name not in recorded or recorded[name].value != parameter.value
    )
    if other:
        yield f"it continues with its own parameters; not used: {', '.join(other)}"


def _other_tags(started: RunStarted, context: RunContext) -> Iterator[str]:
    for what, given, recorded in (
        ("tags", context.tags, started.tags),
        ("notes", context.notes, started.notes),
    ):
        shown = context.masker.texts(given)
        other = sorted(key for key, it in shown.items() if recorded.get(key) != it)
        if other:
            yield f"it keeps its {what}; not used: {', '.join(other)}"


def _other_code(started: RunStarted, code: CodeIdentity) -> Iterator[str]:
    if not started.code:
        return
    before = started.code[0]
    if before.code_identifier != code.code_identifier:
        yield (
            f"the code is another version: {code.code_identifier}, not "
            f"{before.code_identifier}"
        )
    elif before.code_identifier_message != code.code_identifier_message:
        yield "other files differ from the committed code than before"
