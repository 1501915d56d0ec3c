"""The life of one step; the only copy, for synchronous and asynchronous runs.

Theory of operation. An attempt of a step is recorded as started, tried, and recorded as
finished, whatever happens in between: the boundary below is where an exception of the
user's code becomes an outcome. What interrupts the run itself (cancellation,
KeyboardInterrupt) is recorded and goes on. A step with branches lives the same life,
once; what its body does is in `branches`.
"""

import traceback
from collections.abc import Awaitable, Callable
from functools import partial

from runnable import defaults
from runnable.ambient import OutputLog
from runnable.datastore import StepFinished, StepStarted
from runnable.engine.attempt import (
    Attempt,
    get_files,
    keep_log,
    put_files,
    put_leftovers,
    settle_files,
)
from runnable.engine.caching import remember
from runnable.engine.recorder import UnrecordedError, now
from runnable.engine.remote import Remote
from runnable.engine.retry import is_worth_another_try, wait_before_retry
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Session
from runnable.engine.task_step import run_task
from runnable.engine.traversal import Outcome
from runnable.engine.turns import in_turn
from runnable.engine.values import masked
from runnable.exceptions import BranchesFailedError, RunError
from runnable.graph import (
    NO_FILES,
    ONE_ATTEMPT,
    CompositeNode,
    ExecutableNode,
    Node,
    Policy,
    StepNode,
    TaskNode,
    join,
)

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
            await keep_log(attempt, session)
        return
    files = node.catalog or NO_FILES
    await get_files(files, attempt, session)
    try:
        if isinstance(node, TaskNode):
            await run_task(node, attempt, scope, session)
    except (Exception, SystemExit) as error:
        try:
            await put_leftovers(files, attempt, session)
        except Exception as problem:  # noqa: BLE001 - the step has failed already
            error.add_note(f"what it left behind could not be kept: {problem}")
        raise
    if not attempt.cached_from:
        await put_files(files, attempt, session)
    await keep_log(attempt, session)


async def _finish(attempt: Attempt, session: Session) -> None:
    attempt.output.close()
    error, text = attempt.error, ""
    # The errors of branches stand with their steps.
    if error is not None and not isinstance(error, BranchesFailedError):
        text = "".join(traceback.format_exception(error))
    if error is not None and attempt.number:
        try:
            await keep_log(attempt, session, text)
        except Exception as problem:  # noqa: BLE001 - the step has failed already
            error.add_note(f"its execution log could not be kept: {problem!r}")
    if attempt.status != defaults.SUCCESS:
        attempt.put = [it for it in attempt.put if it.name not in attempt.replaced]
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
    await settle_files(attempt, session)
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
