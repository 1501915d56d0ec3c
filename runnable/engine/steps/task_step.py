"""Run what a step without branches is for: its files, its task, its results."""

from runnable import defaults
from runnable.catalog import PutBy
from runnable.engine.environment import RunEnvironment
from runnable.engine.parameter_scope import ParameterScope
from runnable.engine.replaced_files import name_of_attempt
from runnable.engine.secret_values import masked, refuse_secrets
from runnable.engine.steps.attempt import Attempt
from runnable.engine.steps.caching import key_of, recall
from runnable.engine.steps.files import (
    catalog_of,
    get_files,
    keep_log,
    put_files,
    put_leftovers,
)
from runnable.engine.steps.streaming import Yielded
from runnable.engine.steps.values import Offers, outputs
from runnable.errors import DefinitionError
from runnable.graph import NO_FILES, ExecutableNode, TaskNode
from runnable.scope import StepScope, enter_step, restore
from runnable.tasks import BaseTaskType, Call


async def run_executable(
    node: ExecutableNode, attempt: Attempt, scope: ParameterScope, env: RunEnvironment
) -> None:
    """Get the files of a step, run its task, put its files, and keep its log.

    Args:
        node: The step.
        attempt: Gets what the step returns, gets and puts.
        scope: The parameters that it reads.
        env: The environment of the run.
    """
    files = node.catalog or NO_FILES
    if files.get:
        await get_files(files, attempt, env)
    try:
        if isinstance(node, TaskNode):
            await _run_task(node, attempt, scope, env)
    except (Exception, SystemExit) as error:
        try:
            await put_leftovers(files, attempt, env)
        except Exception as problem:  # noqa: BLE001 - the step has failed already
            error.add_note(f"what it left behind could not be kept: {problem}")
        raise
    if files.put and not attempt.cached_from:
        await put_files(files, attempt, env)
    if not attempt.output.is_unused:
        await keep_log(attempt, env)


async def _run_task(
    node: TaskNode, attempt: Attempt, scope: ParameterScope, env: RunEnvironment
) -> None:
    """Run the task of a step once, or reuse the result of an equal one."""
    task = node.task
    if not isinstance(task, BaseTaskType):
        kind = type(task).__qualname__
        raise DefinitionError(f"step {node.name!r} runs a {kind}, not a BaseTaskType")
    step = await _step_scope(task, attempt, scope, env)
    if node.policy.limits:
        step = step._replace(limits=node.policy.limits)
    yielded = Yielded(attempt.path, env.masker, env.recorder.notify)
    offers = Offers(scope, env.loader, attempt.read)
    outer = enter_step(step)
    try:
        bound = (
            await env.off_loop(task.bind, offers)
            if env.stores_objects
            else task.bind(offers)
        )
        if bound.given is not None:
            attempt.read = [name for name in attempt.read if name in bound.given]
        if node.policy.cache:
            attempt.cache_key = _key_of(node, bound, attempt, scope, env)
            if await _reuse(attempt, env):
                return
        call = yielded.watch(bound)
        if (node.policy.interrupt or env.interrupt) == "abandon" and not call.stop:
            call = call._replace(abandoned=attempt.abandoned.append)
        result = await env.runtime.invoke(call, node.policy.timeout_seconds)
    finally:
        yielded.close()
        restore(outer)
    await _take(task, yielded.result(result, task), attempt, env)


async def _step_scope(
    task: BaseTaskType, attempt: Attempt, scope: ParameterScope, env: RunEnvironment
) -> StepScope:
    """Make the scope of a step: what only its code may see."""
    manager = env.services.secrets
    secrets: dict[str, str] = {}
    for name in task.secrets:
        secrets[name] = await env.ask(manager, manager.get, name)
        env.masker.learn(name, secrets[name])
    variables = {
        **scope.environment,
        defaults.ATTEMPT_NUMBER: str(attempt.number),
        **secrets,
    }
    names = frozenset(variables)
    folder = attempt.folder
    return StepScope(
        attempt.path, attempt.number, variables, names, attempt.output, folder
    )


async def _take(
    task: BaseTaskType, result: object, attempt: Attempt, env: RunEnvironment
) -> None:
    """Make outputs of what a task has returned."""
    if env.objects is None and task.returns_objects:
        env.stores_objects = True
        attempt.outputs = await env.off_loop(outputs, task, result, attempt.path, env)
    else:
        attempt.outputs = outputs(task, result, attempt.path, env)
    if env.steps_apart:
        recorded = masked(attempt.outputs, env.masker)
        refuse_secrets(attempt.outputs, recorded, f"step {attempt.path!r} returned")


def _key_of(
    node: TaskNode,
    call: Call,
    attempt: Attempt,
    scope: ParameterScope,
    env: RunEnvironment,
) -> str:
    assert isinstance(node.task, BaseTaskType)  # noqa: S101 - checked before
    # Variables that the run adds to the environment differ each time.
    of_run = env.context.environment()
    seen = {name: it for name, it in scope.environment.items() if name not in of_run}
    return key_of(node, node.task, call, attempt.read, scope, attempt.got, seen)


async def _reuse(attempt: Attempt, env: RunEnvironment) -> bool:
    """Take over the result of a step that did the same, if there is one."""
    if not attempt.cache_key:
        return False
    name = name_of_attempt(attempt.path, attempt.number)
    by = PutBy(name, None, attempt.replaced)
    catalog = catalog_of(attempt, env)
    reused = await env.off_loop(recall, attempt.cache_key, env.run_id, catalog, by)
    if reused is None:
        return False
    finished = reused.finished
    attempt.cached_from = f"{reused.run_id}/{finished.path}"
    attempt.outputs = dict(finished.outputs)
    attempt.put = [file for file in finished.files if file.stage == "put"]
    env.stores_objects = True
    return True
