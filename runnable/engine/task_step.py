"""Run the task of a step: what it sees, what it is given, and what it returns."""

from collections.abc import Mapping

from runnable import defaults
from runnable.catalog import PutBy
from runnable.engine.attempt import Attempt, name_of_attempt
from runnable.engine.caching import Used, key_of, recall
from runnable.engine.scopes import Scope
from runnable.engine.session import Session
from runnable.engine.streaming import Yielded
from runnable.engine.values import Offers, outputs
from runnable.exceptions import DefinitionError
from runnable.graph import TaskNode
from runnable.parameters import Offer
from runnable.scope import StepScope, enter_step, restore
from runnable.tasks import BaseTaskType, Call


async def run_task(
    node: TaskNode, attempt: Attempt, scope: Scope, session: Session
) -> None:
    """Run the task of a step once, or take over the end of one that did the same.

    Args:
        node: The step.
        attempt: Gets what the task returns.
        scope: The parameters that it reads.
        session: The run.
    """
    task = node.task
    if not isinstance(task, BaseTaskType):
        kind = type(task).__qualname__
        raise DefinitionError(f"step {node.name!r} runs a {kind}, not a BaseTaskType")
    step = await _step_scope(task, attempt, scope, session)
    yielded = Yielded(attempt.path, session.masker, session.recorder.tell)
    offers: Mapping[str, Offer] = Offers(scope, session.loader, attempt.read)
    if node.policy.cache:
        offers = Used(offers)
    outer = enter_step(step)
    try:
        bound = (
            await session.off_loop(task.bind, offers)
            if session.stores_objects
            else task.bind(offers)
        )
        if isinstance(offers, Used):
            attempt.cache_key = _key_of(node, bound, offers, attempt, scope, session)
            if await _reuse(attempt, session):
                return
        call = yielded.watch(bound)
        result = await session.runtime.invoke(call, node.policy.timeout_seconds)
    finally:
        restore(outer)
    await _take(task, yielded.result(result, task), attempt, session)


async def _step_scope(
    task: BaseTaskType, attempt: Attempt, scope: Scope, session: Session
) -> StepScope:
    """Make what only the code of this step may see."""
    manager = session.services.secrets
    secrets = {
        name: await session.ask(manager, manager.get, name) for name in task.secrets
    }
    session.masker.add(secrets.values())
    variables = {
        **scope.environment,
        defaults.ATTEMPT_NUMBER: str(attempt.number),
        **secrets,
    }
    names = frozenset(variables)
    return StepScope(attempt.path, attempt.number, variables, names, attempt.output)


async def _take(
    task: BaseTaskType, result: object, attempt: Attempt, session: Session
) -> None:
    """Make outputs of what a task has returned."""
    if session.objects is None and "object" in {one.kind for one in task.returns}:
        session.stores_objects = True
        attempt.outputs = await session.off_loop(
            outputs, task, result, attempt.path, session
        )
    else:
        attempt.outputs = outputs(task, result, attempt.path, session)


def _key_of(
    node: TaskNode,
    call: Call,
    used: Used,
    attempt: Attempt,
    scope: Scope,
    session: Session,
) -> str:
    assert isinstance(node.task, BaseTaskType)  # noqa: S101 - looked at before
    # What the run adds to the environment is another one each time.
    of_run = session.context.environment()
    seen = {name: it for name, it in scope.environment.items() if name not in of_run}
    return key_of(node, node.task, call, used, scope, attempt.got, seen)


async def _reuse(attempt: Attempt, session: Session) -> bool:
    """Take over the end of a step that did the same, if there is one."""
    run_id, catalog = session.context.run_id, session.services.catalog
    if not attempt.cache_key:
        return False
    name = name_of_attempt(attempt.path, attempt.number)
    by = PutBy(name, None, attempt.replaced)
    reused = await session.off_loop(recall, attempt.cache_key, run_id, catalog, by)
    if reused is None:
        return False
    ended = reused.finished
    attempt.cached_from = f"{reused.run_id}/{ended.path}"
    attempt.outputs = ended.outputs
    attempt.put = [file for file in ended.files if file.stage == "put"]
    session.stores_objects = True
    return True
