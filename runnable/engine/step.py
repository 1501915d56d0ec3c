"""The life of one step; the only copy, for synchronous and asynchronous runs.

Theory of operation. A step is recorded as started, tried, and recorded as finished,
whatever happens in between: the boundary below is where an exception of the user's code
becomes an outcome. What interrupts the run itself (cancellation, KeyboardInterrupt) is
recorded and goes on.
"""

import traceback
from dataclasses import dataclass, field

from runnable import defaults
from runnable.ambient import OutputLog
from runnable.datastore import AnyParameter, DataCatalog, StepFinished, StepStarted
from runnable.engine.session import Failure, Scope, Session, now
from runnable.engine.traversal import Outcome
from runnable.engine.values import offers, outputs
from runnable.exceptions import DefinitionError
from runnable.graph import (
    CatalogSettings,
    Node,
    StepNode,
    TaskNode,
    execution_log_name,
    join,
)
from runnable.scope import StepScope, enter_step, restore
from runnable.tasks import BaseTaskType


@dataclass(slots=True)
class Attempt:
    """One try of a step, while it goes on."""

    path: str
    number: int
    output: OutputLog = field(default_factory=OutputLog)
    outputs: dict[str, AnyParameter] = field(default_factory=dict)
    put: list[DataCatalog] = field(default_factory=list)
    got: list[DataCatalog] = field(default_factory=list)
    status: str = defaults.FAIL
    error: BaseException | None = None


async def run_step(node: Node, scope: Scope, session: Session) -> Outcome:
    """Run a node that stands for itself: a task, a stub or a terminal node.

    Args:
        node: The node.
        scope: The parameters that it reads, and writes when it succeeds.
        session: The run.

    Returns:
        How it ended.
    """
    attempt = Attempt(join(scope.path, node.name), number=1)
    session.record(
        StepStarted(
            at=now(),
            path=attempt.path,
            name=node.name,
            step_type=node.node_type,
            attempt=attempt.number,
        )
    )
    try:
        await _try(node, attempt, scope, session)
        _keep_log(attempt, session)
        attempt.status = defaults.SUCCESS
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the step boundary
        _note_failure(attempt, error)
        # What a failure path leads to is not why it was taken.
        if scope.failure is None or isinstance(node, StepNode):
            scope.failure = Failure(attempt.path, error)
    except BaseException as error:
        attempt.status, attempt.error = defaults.CANCELLED, error
        raise
    finally:
        _finish(attempt, session)
    if attempt.status != defaults.SUCCESS:
        return Outcome.FAILED
    scope.parameters.update(attempt.outputs)
    return Outcome.SUCCEEDED


async def _try(node: Node, attempt: Attempt, scope: Scope, session: Session) -> None:
    if not isinstance(node, StepNode):
        return
    files = node.catalog or CatalogSettings()
    catalog, run_id = session.services.catalog, session.context.run_id
    for pattern in files.get:
        attempt.got += catalog.get_files(pattern, run_id=run_id)
    try:
        if isinstance(node, TaskNode):
            await _run_task(node, attempt, scope, session)
    except Exception:
        # What a failing step has left behind helps to find out why it failed.
        _put_files(files, attempt, session, missing_ok=True)
        raise
    _put_files(files, attempt, session, missing_ok=False)


def _put_files(
    files: CatalogSettings, attempt: Attempt, session: Session, *, missing_ok: bool
) -> None:
    for pattern in files.put:
        attempt.put += session.services.catalog.put_files(
            pattern,
            run_id=session.context.run_id,
            store_copy=files.store_copy,
            missing_ok=missing_ok,
        )


async def _run_task(
    node: TaskNode, attempt: Attempt, scope: Scope, session: Session
) -> None:
    task = node.task
    if not isinstance(task, BaseTaskType):
        kind = type(task).__qualname__
        raise DefinitionError(f"step {node.name!r} runs a {kind}, not a BaseTaskType")
    secrets = {name: session.services.secrets.get(name) for name in task.secrets}
    variables = {
        **session.environment,
        defaults.ATTEMPT_NUMBER: str(attempt.number),
        **secrets,
    }
    step = StepScope(
        attempt.path, attempt.number, variables, frozenset(variables), attempt.output
    )
    outer = enter_step(step)
    try:
        call = task.bind(offers(scope.parameters, session))
        result = await session.runtime.invoke(call)
    finally:
        restore(outer)
    attempt.outputs = outputs(task, result, attempt.path, session)


def _note_failure(attempt: Attempt, error: BaseException) -> None:
    error.add_note(f"in step {attempt.path!r}, attempt {attempt.number}")
    attempt.error = error


def _keep_log(attempt: Attempt, session: Session, traceback_text: str = "") -> None:
    session.services.catalog.put_text(
        execution_log_name(attempt.path, attempt.number),
        attempt.output.text() + traceback_text,
        run_id=session.context.run_id,
    )


def _finish(attempt: Attempt, session: Session) -> None:
    error, text = attempt.error, ""
    if error is not None:
        text = "".join(traceback.format_exception(error))
        try:
            _keep_log(attempt, session, text)
        except Exception as problem:  # noqa: BLE001 - the step has failed already
            error.add_note(f"its execution log could not be kept: {problem!r}")
    # If this cannot be recorded, the run ends; the error of the step stays known.
    session.record(
        StepFinished(
            at=now(),
            path=attempt.path,
            status=attempt.status,
            attempt=attempt.number,
            message=in_one_line(error),
            traceback=text,
            outputs=attempt.outputs if error is None else {},
            files=[*attempt.put, *attempt.got],
        )
    )


def in_one_line(error: BaseException | None) -> str:
    """Return the kind and the text of an error; nothing if there is none."""
    if error is None:
        return ""
    # The last line that is no note: a SyntaxError has its place before its text.
    notes = len(getattr(error, "__notes__", ()))
    lines = traceback.format_exception_only(error)
    return lines[len(lines) - notes - 1].strip()
