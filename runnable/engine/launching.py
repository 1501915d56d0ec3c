"""Have steps run somewhere else, by the launcher of an executor.

Theory of operation. The run stays here: it starts branches and decides what follows.
For a step, a request is handed to the launcher; the other process joins the run and
records what happens. A step that ends without having recorded an end has failed, for
the reason that the launcher reports.
"""

import hashlib
import json
import logging
import sys
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import cast

from pydantic import JsonValue

from runnable import defaults
from runnable.context import RunContext
from runnable.datastore import RunLog
from runnable.datastore.errors import RunLogNotFoundError
from runnable.engine.declared_secrets import secrets_of
from runnable.engine.environment import RunEnvironment, Shared
from runnable.engine.errors import ExecutionFailedError
from runnable.engine.parameter_scope import Failure, ParameterScope
from runnable.engine.run_folder import is_needed
from runnable.engine.runtimes import Runtime
from runnable.engine.secret_values import hidden_names, masked
from runnable.engine.slots import with_slots
from runnable.engine.step_limits import check_limits, limiters_of, slots_of
from runnable.errors import ConfigurationError, RunError
from runnable.events import Launched
from runnable.executor import (
    ExecutionOptions,
    PipelineReference,
    StepLauncher,
    StepReport,
    StepRequest,
)
from runnable.graph import ExecutableNode, Graph, TaskNode, join
from runnable.journal import AnyParameter, StepState
from runnable.parameters.packing import packed_variables
from runnable.system.main_program import import_path, main_reference
from runnable.tasks import Call


async def launch_step(
    node: ExecutableNode, scope: ParameterScope, env: RunEnvironment
) -> None:
    """Have a step run somewhere else, as often as its policy allows.

    Args:
        node: The step.
        scope: Gets what it returns.
        env: The environment of the run; its options have a launcher.
    """
    path = join(scope.path, node.name)
    assert env.options.launcher is not None  # noqa: S101 - else it would run here
    await env.off_loop(env.followed.expect, [path], env.records_after)
    kind = node.node_type
    env.recorder.notify(Launched(path, node.name, kind))
    report = await _launch(env.options.launcher, node, env.context, env.runtime, path)
    records_of = env.followed.records_of
    for record in await env.off_loop(records_of, path, env.records_after):
        env.recorder.adopt(record)
        env.recorder.notify(record)
    step = env.state.step(path)
    if step is None or not step.status:
        env.recorder.notify(Launched(path, node.name, kind, is_lost=True))
        _record_failure(node, path, step, report, env)
        step = env.state.step(path)
    assert step is not None  # noqa: S101 - it has been recorded
    scope.parameters.update(step.outputs)
    if step.status != defaults.SUCCESS:
        scope.failure = Failure(path, RunError(step.message))


logger = logging.getLogger(__name__)
_NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


async def launch_job(
    launcher: StepLauncher,
    node: TaskNode,
    parameters: Mapping[str, AnyParameter],
    context: RunContext,
    runtime: Runtime,
    shared: Shared,
) -> RunLog:
    """Have a job run somewhere else; its process starts the run and ends it.

    Args:
        launcher: Starts it.
        node: The job.
        parameters: Those that it starts with.
        context: Describes the run.
        runtime: How to wait for its end.
        shared: What the runs of the container share.

    Returns:
        The log of the run.

    Raises:
        ExecutionFailedError: If it failed.
    """
    if scarce := check_limits(Graph(node.name, {node.name: node}), shared, context):
        logger.warning("Run %r: %s", context.run_id, scarce)
    variables = _variables_of(parameters, context)
    launch = partial(_launch, launcher, node, context, runtime, variables=variables)
    limiters, wants = limiters_of(shared, context), slots_of(node.policy)
    report = await with_slots(limiters, wants, runtime, launch)
    if report.instead:
        return not_run(context, report.instead)
    try:
        run_log = context.services.run_log_store.get_run_log_by_id(context.run_id)
    except RunLogNotFoundError:
        if report.succeeded and report.has_other_stores:
            note = "its run log is where its stores are, which is not here"
            return _log_of(context, defaults.SUCCESS, note=note)
        raise ExecutionFailedError(context.run_id, None, report.reason) from None
    if not report.succeeded or run_log.status != defaults.SUCCESS:
        raise ExecutionFailedError(context.run_id, run_log, report.reason)
    return run_log


def not_run(context: RunContext, instead: str, **more: JsonValue) -> RunLog:
    """Return the log of a run that has not begun.

    Args:
        context: Describes the run.
        instead: What was done instead.
        **more: More to record.
    """
    return _log_of(context, defaults.CREATED, instead=instead, **more)


def _log_of(context: RunContext, status: str, **config: JsonValue) -> RunLog:
    """Return a log that no store of this process has."""
    return RunLog(
        run_id=context.run_id,
        status=status,
        tag=context.tag,
        tags=context.tags,
        notes=context.notes,
        run_config=config,
    )


def _variables_of(
    parameters: Mapping[str, AnyParameter], context: RunContext
) -> dict[str, str]:
    """Return the variables by which a process gets parameters, but for secrets."""
    hidden = hidden_names(parameters, masked(parameters, context.masker))
    known = {name: it for name, it in parameters.items() if name not in hidden}
    return packed_variables(known)


async def _launch(
    launcher: StepLauncher,
    node: ExecutableNode,
    context: RunContext,
    runtime: Runtime,
    path: str = "",
    variables: Mapping[str, str] = _NO_VARIABLES,
) -> StepReport:
    """Launch a step; a job, if it has no path."""
    tasks = [node] if isinstance(node, TaskNode) else []
    find = partial(secrets_of, tasks, context)
    executor = context.services.executor.service_name
    request = StepRequest(
        context.run_id,
        reference_of(context),
        path,
        job_digest(tasks[0]) if tasks and not path else "",
        context.configuration_file,
        context.parameters_file,
        context.label_options,
        context.log_level,
        tasks[0].overrides.get(executor, "") if tasks else "",
        await runtime.off_loop(find),
        variables,
    )
    launched = launcher.launch(request)
    report = await runtime.invoke(Call(launched.wait, stop=launched.stop))
    return cast("StepReport", report)


def reference_of(context: RunContext) -> PipelineReference:
    """Return where another process finds the definition of the pipeline or job."""
    if context.reference:
        mode = context.execution_mode
        return PipelineReference(mode, context.reference, (), import_path())
    if main := main_reference():
        return PipelineReference("python", main, sys.argv[1:], import_path())
    kind = context.services.executor.service_name
    raise ConfigurationError(
        f"the executor {kind!r} needs a definition that another process finds: a YAML "
        "file; a script that is run as `python FILE`; or a function of a module that "
        "executes it and needs no arguments. Else name a function that returns it, by "
        "Pipeline(..., reference='package.module:function')"
    )


def check_launching(
    context: RunContext, graph: Graph, options: ExecutionOptions
) -> None:
    """Refuse a run whose steps other processes cannot run, before it starts.

    Args:
        context: Describes the run.
        graph: Its graph.
        options: How its executor wants steps to be run.

    Raises:
        ConfigurationError: If its definition cannot be found, or steps would share a
            folder.
    """
    reference_of(context)
    if is_needed(graph, options.workspace):
        kind = context.services.executor.service_name
        raise ConfigurationError(
            f"workspace: run is a folder that the steps of a run share; the executor "
            f"{kind!r} runs each step in a process of its own. Use workspace: "
            "isolated, and hand files on by the catalog"
        )


def job_digest(node: TaskNode) -> str:
    """Return what distinguishes a job from others of the same program.

    Args:
        node: The job.

    Returns:
        Sixteen hexadecimal digits.
    """
    files = node.catalog.describe() if node.catalog else None
    text = json.dumps([node.task.describe(), files], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _record_failure(
    node: ExecutableNode,
    path: str,
    step: StepState | None,
    report: StepReport,
    env: RunEnvironment,
) -> None:
    """Record that a step has failed whose process can no longer do so."""
    reason = f"{report.reason}, and has recorded no end"
    if report.said:
        reason += f". The end of its output: {env.masker.text(report.said)}"
    number = max(step.started.attempt if step else 0, 1)
    env.recorder.fail_step(node, path, number, reason)
