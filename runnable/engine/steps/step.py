"""The life of one step; the only copy, for synchronous and asynchronous runs.

Theory of operation. An attempt of a step is recorded as started, made, and recorded as
finished, whatever happens in between: the boundary below is where an exception of the
user's code becomes an outcome. What interrupts the run itself (cancellation,
KeyboardInterrupt) is recorded and raised again. A step with branches has one attempt,
whose body runs the branches.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeGuard

from runnable import defaults
from runnable.datastore import StepFinished, StepStarted
from runnable.engine.branch_errors import BranchesFailedError
from runnable.engine.environment import RunEnvironment
from runnable.engine.error_texts import (
    MOST_OF_TRACEBACK,
    short_text,
    type_and_text,
)
from runnable.engine.launching import launch_step
from runnable.engine.parameter_scope import Failure, ParameterScope
from runnable.engine.recorder import UnrecordedError, now
from runnable.engine.retry import is_worth_another_try, wait_before_retry
from runnable.engine.secret_values import hidden_names, mask_own_errors, masked
from runnable.engine.slots import with_slots
from runnable.engine.step_limits import slots_of
from runnable.engine.steps.attempt import Attempt
from runnable.engine.steps.caching import remember
from runnable.engine.steps.files import close_attempt, keep_log
from runnable.engine.steps.live_log import LiveLog
from runnable.engine.steps.output_log import OutputLog
from runnable.engine.steps.task_step import run_executable
from runnable.engine.worker_client import RemoteStep
from runnable.graph import ExecutableNode, Node, StepNode, TaskNode, Workspace, join
from runnable.system.short_tracebacks import formatted

Body = Callable[[], Awaitable[None]]
"""Does what an attempt is for; raises if the step has failed."""


async def run_step(
    node: ExecutableNode, scope: ParameterScope, env: RunEnvironment
) -> None:
    """Run a step without branches to its end, as often as its policy allows.

    Args:
        node: The step.
        scope: The parameters that it reads, and sets when it succeeds.
        env: The environment of the run.
    """
    if env.options.launcher is not None:
        await _limited(node, env, partial(launch_step, node, scope, env))
        return
    if isinstance(node, TaskNode) and _is_elsewhere(node, env):
        await _run_elsewhere(node, scope, env)
        return
    path = join(scope.path, node.name)
    step = env.state.step(path)
    number, tries = (step.started.attempt, step.tries) if step else (0, 0)
    while True:
        number, tries = number + 1, tries + 1
        attempt = new_attempt(path, number, env)
        if _workspace(node, env) == "run":
            attempt.folder = env.run_folder.path()
        body = partial(run_executable, node, attempt, scope, env)
        # A place for each attempt: it is free while this step waits for the next one.
        if not env.limiters or not _needs_slots(node, env):
            await run_attempt(node, attempt, scope, env, body)
        else:
            action = partial(run_attempt, node, attempt, scope, env, body)
            await _limited(node, env, action, attempt)
        if attempt.error is None:
            return
        if not is_worth_another_try(node.policy, tries, attempt.error):
            return
        await wait_before_retry(node.policy.delay, tries, env.runtime)


async def end_graph(node: Node, scope: ParameterScope, env: RunEnvironment) -> None:
    """Record that a graph has come to one of its ends, where nothing is run.

    Args:
        node: The node.
        scope: The parameters of the graph.
        env: The environment of the run.
    """
    path = join(scope.path, node.name)
    step = env.state.step(path)
    number = step.started.attempt + 1 if step else 1
    started = StepStarted(now(), path, node.name, node.node_type, number)
    await env.record(started, more=True)
    finished = StepFinished(now(), path, defaults.SUCCESS, {}, [], number)
    await env.record(finished, more=True)


async def _limited(
    node: Node,
    env: RunEnvironment,
    action: Callable[[], Awaitable[None]],
    attempt: Attempt | None = None,
) -> None:
    """Run a step as soon as there are slots for one more task of its kind."""
    if not _needs_slots(node, env):
        await action()
    else:
        abandoned = attempt.abandoned if attempt is not None else ()
        await env.flush()
        wants = slots_of(node.policy)
        await with_slots(env.limiters, wants, env.runtime, action, abandoned)


def _needs_slots(node: Node, env: RunEnvironment) -> TypeGuard[TaskNode]:
    return isinstance(node, TaskNode) and any(it.limits for it in env.limiters)


def _is_elsewhere(node: TaskNode, env: RunEnvironment) -> bool:
    """Return True for a step that needs another process than this one."""
    return env.options.cluster is not None or _workspace(node, env) == "isolated"


async def _run_elsewhere(
    node: TaskNode, scope: ParameterScope, env: RunEnvironment
) -> None:
    """Run a step in another process, and in yet another one if that has died."""
    remote, path = RemoteStep(env), join(scope.path, node.name)
    while True:
        await _limited(node, env, partial(remote.run, node, scope))
        step = env.state.step(path)
        if step is None or not remote.has_died or step.status != defaults.FAIL:
            return
        if step.tries >= node.policy.max_attempts:
            return
        await wait_before_retry(node.policy.delay, step.tries, env.runtime)


def _workspace(node: ExecutableNode, env: RunEnvironment) -> Workspace:
    chosen = node.policy.workspace if isinstance(node, TaskNode) else None
    return chosen or env.options.workspace


def new_attempt(path: str, number: int, env: RunEnvironment) -> Attempt:
    """Make an attempt of a step.

    Args:
        path: The path of the step.
        number: From 1; 0 for a step with branches.
        env: The environment of the run.
    """
    output = OutputLog(path, env.masker, env.options.console, env.console)
    attempt = Attempt(path, number, output)
    output.on_first = partial(_show_live, attempt, env)
    return attempt


def _show_live(attempt: Attempt, env: RunEnvironment) -> None:
    """Show others what a step prints, from its first words on."""
    if attempt.live_log is not None:
        return  # another thread of the step was first
    which = (attempt.path, attempt.number)
    catalog = env.services.catalog
    attempt.live_log = LiveLog(catalog, env.run_id, which, attempt.output)
    attempt.live_log.start(env.periodic)


async def run_attempt(
    node: Node, attempt: Attempt, scope: ParameterScope, env: RunEnvironment, body: Body
) -> None:
    """Make one attempt of a step, and record its start and its end.

    Args:
        node: The step.
        attempt: The attempt; gets its status and its error.
        scope: The parameters that it reads, and sets when it succeeds.
        env: The environment of the run.
        body: Does what the attempt is for.
    """
    started = StepStarted(
        now(), attempt.path, node.name, node.node_type, attempt.number
    )
    await env.record(started, more=not isinstance(node, StepNode))
    try:
        await body()
        attempt.status = defaults.SUCCESS
    except UnrecordedError as error:
        attempt.error = error
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the step boundary
        attempt.error = error
        mask_own_errors(error, env.masker)
        if attempt.number:
            attempt.outputs = {}
            error.add_note(f"in step {attempt.path!r}, attempt {attempt.number}")
        note_failure(node, Failure(attempt.path, error), scope)
    except BaseException as error:
        attempt.status, attempt.error, attempt.outputs = defaults.CANCELLED, error, {}
        raise
    finally:
        await _finish(attempt, env)
    scope.parameters.update(attempt.outputs)


def note_failure(node: Node, failure: Failure, scope: ParameterScope) -> None:
    """Remember why a step failed, as the reason why its graph may fail."""
    # A failing end of a failure path is not why that path was taken.
    if scope.failure is None or isinstance(node, StepNode):
        scope.failure = failure


async def _explained(
    error: BaseException, attempt: Attempt, env: RunEnvironment
) -> tuple[str, str]:
    """Keep the log of an attempt that failed; return its message and its traceback."""
    # The errors of branches are recorded with their steps.
    text = "" if isinstance(error, BranchesFailedError) else formatted(error)
    if attempt.number:
        try:
            await keep_log(attempt, env, text)
        except Exception as problem:  # noqa: BLE001 - the step has failed already
            error.add_note(f"its execution log could not be kept: {problem!r}")
    message = short_text(type_and_text(error) or attempt.message, env.masker)
    return message, short_text(text, env.masker, MOST_OF_TRACEBACK)


async def _finish(attempt: Attempt, env: RunEnvironment) -> None:
    attempt.output.close()
    if attempt.abandoned:
        attempt.output.mute()
    error, message, trace = attempt.error, attempt.message, ""
    if error is not None:
        message, trace = await _explained(error, attempt, env)
    elif message:
        message = short_text(message, env.masker)
    if attempt.status != defaults.SUCCESS:
        attempt.put = [it for it in attempt.put if it.name not in attempt.replaced]
    recorded = masked(attempt.outputs, env.masker)
    finished = StepFinished(
        at=now(),
        path=attempt.path,
        status=attempt.status,
        attempt=attempt.number,
        message=message,
        traceback=trace,
        outputs=recorded,
        files=[*attempt.put, *attempt.got],
        read=tuple(attempt.read),
        masked=hidden_names(attempt.outputs, recorded),
        cached_from=attempt.cached_from,
        secrets=env.masker.unrecorded_names(),
    )
    # What is settled or remembered below relies on the record.
    relies = attempt.replaced or attempt.cache_key
    # If this cannot be recorded, the run ends; the error of the step stays known.
    await env.record(finished, more=error is None and not relies)
    attempt.output.release()
    if attempt.replaced:
        await close_attempt(attempt, env)
    if attempt.cache_key and error is None and not attempt.cached_from:
        catalog, key = env.services.catalog, attempt.cache_key
        await env.ask(catalog, remember, key, env.run_id, finished, catalog)
