"""One run, from its first record to its last."""

from collections.abc import Mapping
from pathlib import Path

from runnable import defaults
from runnable.ambient import active_run
from runnable.context import RunContext
from runnable.datastore import (
    AnyParameter,
    CodeIdentity,
    ObjectLoader,
    RunFinished,
    RunLog,
)
from runnable.engine.runtimes import Runtime
from runnable.engine.session import (
    Failure,
    Scope,
    Services,
    Session,
    now,
    run_started,
)
from runnable.engine.step import in_one_line, run_step
from runnable.engine.traversal import Finish, Outcome, RunNode, Traversal
from runnable.exceptions import ExecutionFailedError
from runnable.graph import Graph, JobNode


async def run(
    work: Graph | JobNode,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    services: Services,
    context: RunContext,
) -> RunLog:
    """Run a pipeline, or the one task of a job.

    Args:
        work: The graph of the pipeline, or the task.
        parameters: Those it starts with.
        runtime: How functions are called.
        services: Where everything is kept.
        context: Describes the run.

    Returns:
        The log of the run.

    Raises:
        ExecutionFailedError: If the run ended in failure.
        RunLogExistsError: If the run id has been used.
    """
    if isinstance(work, Graph):
        context.set_graph(work)
    store = services.run_log_store
    keeps_objects = context.object_serialisation and services.catalog.keeps_objects
    scope = Scope("", dict(parameters))
    session = Session(
        loader=ObjectLoader(
            context.run_id, services.catalog, services.pickler, context.return_objects
        ),
        context=context,
        services=services,
        runtime=runtime,
        journal=store.create(context.run_id),
        environment=context.environment(),
        objects=None if keeps_objects else context.return_objects,
    )
    try:
        code = CodeIdentity.of(services.code_versions.of(Path.cwd()))
        session.record(run_started(context, dict(parameters), code))
        succeeded = await _run_recorded(work, scope, session)
    finally:
        session.journal.close()
        run_log = store.get_run_log_by_id(context.run_id, loader=session.loader)
        store.finish(run_log)
    if not succeeded:
        failure = scope.failure
        raise _failed(run_log, failure) from failure.error if failure else None
    return run_log


async def _run_recorded(work: Graph | JobNode, scope: Scope, session: Session) -> bool:
    status = defaults.CANCELLED
    try:
        with active_run():
            if isinstance(work, Graph):
                succeeded = await traverse(work, scope, session)
            else:
                outcome = await run_step(work, scope, session)
                succeeded = outcome is Outcome.SUCCEEDED
        status = defaults.SUCCESS if succeeded else defaults.FAIL
    except Exception:
        status = defaults.FAIL  # a store or the catalog failed, not a step
        raise
    finally:
        session.record(RunFinished(at=now(), status=status))
    return succeeded


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
                traversal.advance(await run_step(node, scope, session))
            case Finish(succeeded):
                return succeeded


def _failed(run_log: RunLog, failure: Failure | None) -> ExecutionFailedError:
    if failure is None:
        reason = "it ended at its fail node"
    else:
        what = "the job" if run_log.job else f"step {failure.path!r}"
        reason = f"{what}: {in_one_line(failure.error)}"
    return ExecutionFailedError(run_log.run_id, run_log, reason)
