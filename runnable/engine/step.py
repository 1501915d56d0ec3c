"""The life of one step; the only copy, for synchronous and asynchronous runs.

Theory of operation. An attempt of a step is recorded as started, tried, and recorded as
finished, whatever happens in between: the boundary below is where an exception of the
user's code becomes an outcome. What interrupts the run itself (cancellation,
KeyboardInterrupt) is recorded and goes on. A step with branches lives the same life,
once; what its body does is in `branches`.
"""

import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from runnable import defaults
from runnable.ambient import OutputLog
from runnable.datastore import AnyParameter, DataCatalog, StepFinished, StepStarted
from runnable.engine.caching import Used, key_of, recall, remember
from runnable.engine.recorder import UnrecordedError, now
from runnable.engine.remote import Remote
from runnable.engine.retry import is_worth_another_try, wait_before_retry
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Session
from runnable.engine.streaming import Yielded
from runnable.engine.traversal import Outcome
from runnable.engine.turns import in_turn
from runnable.engine.values import Offers, masked, outputs
from runnable.events import Warned
from runnable.exceptions import BranchesFailedError, DefinitionError, RunError
from runnable.graph import (
    NO_FILES,
    ONE_ATTEMPT,
    CatalogSettings,
    CompositeNode,
    ExecutableNode,
    Node,
    Policy,
    StepNode,
    TaskNode,
    execution_log_name,
    join,
    parent,
)
from runnable.parameters import Offer
from runnable.scope import StepScope, enter_step, restore
from runnable.tasks import BaseTaskType

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Attempt:
    """One try of a step, while it goes on."""

    path: str
    number: int
    """From 1; 0 for a step with branches."""
    output: OutputLog
    outputs: dict[str, AnyParameter] = field(default_factory=dict)
    put: list[DataCatalog] = field(default_factory=list)
    got: list[DataCatalog] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    """Names of what it was given from outside its branch."""
    cache_key: str = ""
    """Where its end is kept, or found, for steps that would do the same."""
    cached_from: str = ""
    status: str = defaults.FAIL
    message: str = ""
    error: BaseException | None = None


Body = Callable[[CompositeNode, Attempt, Scope, Session], Awaitable[None]]
"""Runs the branches of a step; raises if the step has failed."""


async def run_step(node: Node, scope: Scope, session: Session, body: Body) -> Outcome:
    """Run a node to its end, as often as its policy allows.

    Args:
        node: The node.
        scope: The parameters that it reads, and writes when it succeeds.
        session: The run.
        body: Runs the branches, if the node has any.

    Returns:
        How it ended.
    """
    path = join(scope.path, node.name)
    past = session.history.of(path)
    if past is not None and past.finished is not None:
        ended, most = past.finished, _policy(node).max_attempts
        final = past.tries >= most or session.history.is_final(path)
        if ended.status == defaults.SUCCESS or final:
            return _as_recorded(node, ended, scope)
    if isinstance(node, ExecutableNode) and (elsewhere := session.conditions.elsewhere):
        there = partial(elsewhere, node, scope, session)
        return await _in_turn(node, session, there)
    if isinstance(node, TaskNode) and _is_isolated(node, session):
        apart = partial(Remote(scope.outer, session).run_step, node, scope)
        return await _in_turn(node, session, apart)
    return await run_attempts(node, scope, session, body)


async def _in_turn(
    node: Node, session: Session, go_on: Callable[[], Awaitable[Outcome]]
) -> Outcome:
    """Go on with a step when there is room for one more task."""
    if not isinstance(node, TaskNode) or session.step_turns is None:
        return await go_on()
    return await in_turn(session.step_turns, session.runtime, go_on)


def _is_isolated(node: TaskNode, session: Session) -> bool:
    return (node.policy.workspace or session.conditions.workspace) == "isolated"


async def run_attempts(
    node: Node, scope: Scope, session: Session, body: Body
) -> Outcome:
    """Run a node here, as often as its policy allows; else as `run_step`."""
    path = join(scope.path, node.name)
    past = session.history.of(path)
    policy = _policy(node)
    number, tries = (past.last_attempt, past.tries) if past else (0, 0)
    while True:
        number, tries = number + 1, tries + 1
        output = OutputLog(path, session.masker, session.conditions.console)
        own_number = 0 if isinstance(node, CompositeNode) else number
        attempt = Attempt(path, own_number, output)
        # A turn for each attempt: others go on while this step waits for the next.
        run = partial(_try_and_record, node, attempt, scope, session, body)
        outcome = await _in_turn(node, session, run)
        error = attempt.error
        if error is None or not is_worth_another_try(policy, tries, error):
            return outcome
        await wait_before_retry(policy.delay, tries, session.runtime)


def _policy(node: Node) -> Policy:
    return node.policy if isinstance(node, ExecutableNode) else ONE_ATTEMPT


def _as_recorded(node: Node, ended: StepFinished, scope: Scope) -> Outcome:
    scope.parameters.update(ended.outputs)
    if ended.status == defaults.SUCCESS:
        return Outcome.SUCCEEDED
    _note_failure(node, Failure(ended.path, RunError(ended.message)), scope)
    return Outcome.FAILED


def _note_failure(node: Node, failure: Failure, scope: Scope) -> None:
    # What a failure path leads to is not why it was taken.
    if scope.failure is None or isinstance(node, StepNode):
        scope.failure = failure


async def _try_and_record(
    node: Node, attempt: Attempt, scope: Scope, session: Session, body: Body
) -> Outcome:
    await session.record(
        StepStarted(now(), attempt.path, node.name, node.node_type, attempt.number)
    )
    try:
        if isinstance(node, CompositeNode):
            await body(node, attempt, scope, session)
        else:
            await _try(node, attempt, scope, session)
        attempt.status = defaults.SUCCESS
    except UnrecordedError as error:
        attempt.error = error
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the step boundary
        attempt.error = error
        if attempt.number:
            attempt.outputs = {}
            error.add_note(f"in step {attempt.path!r}, attempt {attempt.number}")
        _note_failure(node, Failure(attempt.path, error), scope)
    except BaseException as error:
        attempt.status, attempt.error, attempt.outputs = defaults.CANCELLED, error, {}
        raise
    finally:
        await _finish(attempt, session)
    scope.parameters.update(attempt.outputs)
    return Outcome.FAILED if attempt.error else Outcome.SUCCEEDED


async def _try(node: Node, attempt: Attempt, scope: Scope, session: Session) -> None:
    if not isinstance(node, ExecutableNode):
        if scope.outer is None:
            # In a branch, nothing can have been printed at its end.
            await _keep_log(attempt, session)
        return
    files = node.catalog or NO_FILES
    for pattern in files.get:
        attempt.got += await session.off_loop(
            session.services.catalog.get_files, pattern, run_id=session.context.run_id
        )
    try:
        if isinstance(node, TaskNode):
            await _run_task(node, attempt, scope, session)
    except Exception:
        # What a failing step has left behind helps to find out why it failed; what was
        # kept before, such as what it was given, is there for the next attempt.
        await _put_files(files, attempt, session, failed=True)
        raise
    if not attempt.cached_from:
        await _put_files(files, attempt, session, failed=False)
    await _keep_log(attempt, session)


async def _put_files(
    files: CatalogSettings, attempt: Attempt, session: Session, *, failed: bool
) -> None:
    left = session.left_behind.setdefault(attempt.path, set()) if failed else set()
    for pattern in files.put:
        kept = await session.off_loop(
            session.services.catalog.put_files,
            pattern,
            run_id=session.context.run_id,
            store_copy=files.store_copy,
            missing_ok=failed,
            replace=left if failed else None,
        )
        if failed:
            left.update(file.name for file in kept)
        attempt.put += kept
        for file in kept:
            _warn_if_replaced(file, attempt, session)


def _warn_if_replaced(file: DataCatalog, attempt: Attempt, session: Session) -> None:
    """Warn if a file takes the place of another one from a branch beside this one."""
    here = parent(attempt.path)
    before = session.files.get(file.name)
    session.files[file.name] = (here, file.data_hash)
    if before is None or before[1] == file.data_hash:
        return
    if f"{here}.".startswith(f"{before[0]}.") or f"{before[0]}.".startswith(f"{here}."):
        return  # what is in the same branch, or around it, goes on with the file
    if here and before[0]:
        text = (
            f"{file.name!r} replaces a file of this name that branch {before[0]!r} has "
            "put; let each branch write a name of its own"
        )
        logger.warning("Step %r: %s", attempt.path, text)
        session.recorder.tell(Warned(attempt.path, text))


async def _run_task(
    node: TaskNode, attempt: Attempt, scope: Scope, session: Session
) -> None:
    task = node.task
    if not isinstance(task, BaseTaskType):
        kind = type(task).__qualname__
        raise DefinitionError(f"step {node.name!r} runs a {kind}, not a BaseTaskType")
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
    step = StepScope(
        attempt.path, attempt.number, variables, frozenset(variables), attempt.output
    )
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
            attempt.cache_key = key_of(node, task, bound, offers, scope, attempt.got)
            if await _reuse(attempt, session):
                return
        call = yielded.watch(bound)
        result = await session.runtime.invoke(call, node.policy.timeout_seconds)
    finally:
        restore(outer)
    result = yielded.result(result, task)
    if session.objects is None and "object" in {one.kind for one in task.returns}:
        session.stores_objects = True
        attempt.outputs = await session.off_loop(
            outputs, task, result, attempt.path, session
        )
    else:
        attempt.outputs = outputs(task, result, attempt.path, session)


async def _reuse(attempt: Attempt, session: Session) -> bool:
    """Take over the end of a step that did the same, if there is one."""
    run_id, catalog = session.context.run_id, session.services.catalog
    if not attempt.cache_key:
        return False
    reused = await session.off_loop(recall, attempt.cache_key, run_id, catalog)
    if reused is None:
        return False
    ended = reused.finished
    attempt.cached_from = f"{reused.run_id}/{ended.path}"
    attempt.outputs = ended.outputs
    attempt.put = [file for file in ended.files if file.stage == "put"]
    session.stores_objects = True
    return True


async def _keep_log(attempt: Attempt, session: Session, error_text: str = "") -> None:
    attempt.output.close()
    catalog = session.services.catalog
    await session.ask(
        catalog,
        catalog.put_text,
        execution_log_name(attempt.path, attempt.number),
        attempt.output.text() + session.masker.text(error_text),
        run_id=session.context.run_id,
    )


async def _finish(attempt: Attempt, session: Session) -> None:
    attempt.output.close()
    error, text = attempt.error, ""
    # The errors of branches stand with their steps.
    if error is not None and not isinstance(error, BranchesFailedError):
        text = "".join(traceback.format_exception(error))
    if error is not None and attempt.number:
        try:
            await _keep_log(attempt, session, text)
        except Exception as problem:  # noqa: BLE001 - the step has failed already
            error.add_note(f"its execution log could not be kept: {problem!r}")
    recorded = masked(attempt.outputs, session.masker)
    hidden = (name for name, it in recorded.items() if it is not attempt.outputs[name])
    finished = StepFinished(
        at=now(),
        path=attempt.path,
        status=attempt.status,
        attempt=attempt.number,
        message=session.masker.text(in_one_line(error) or attempt.message),
        traceback=session.masker.text(text),
        outputs=recorded,
        files=[*attempt.put, *attempt.got],
        read=tuple(attempt.read),
        masked=tuple(hidden),
        cached_from=attempt.cached_from,
    )
    # If this cannot be recorded, the run ends; the error of the step stays known.
    await session.record(finished)
    if attempt.cache_key and error is None and not attempt.cached_from:
        run_id, catalog = session.context.run_id, session.services.catalog
        key = attempt.cache_key
        await session.ask(catalog, remember, key, run_id, finished, catalog)


def in_one_line(error: BaseException | None) -> str:
    """Return the kind and the text of an error; nothing if there is none."""
    if error is None:
        return ""
    # The last line that is no note: a SyntaxError has its place before its text.
    notes = sum(str(it).count("\n") + 1 for it in getattr(error, "__notes__", ()))
    lines = traceback.format_exception_only(error)
    return lines[len(lines) - notes - 1].strip()
