"""Run the branches of a chunk, or a step, in a process that does not have the run."""

import contextlib
import os
import pickle
import shutil
from collections.abc import Generator
from typing import Protocol, cast

from runnable import defaults
from runnable.capture import Streams, active_run
from runnable.concurrency import Limiter
from runnable.context import RunScope
from runnable.datastore import BranchFinished, Journal
from runnable.engine.environment import (
    Recording,
    RunEnvironment,
    build_environment,
)
from runnable.engine.error_texts import type_and_text
from runnable.engine.errors import WorkerError
from runnable.engine.parameter_scope import Failure
from runnable.engine.recorder import now
from runnable.engine.run_graph import run_graph
from runnable.engine.runtimes import InlineRuntime, run_by_hand
from runnable.engine.steps.step import run_step
from runnable.engine.workers import protocol
from runnable.engine.workers.pickling import dumps
from runnable.errors import RunError
from runnable.events import Event
from runnable.graph import Graph
from runnable.system.working_directory import working_directory


class InterruptedHereError(KeyboardInterrupt):
    """This process is to end, or to stop what it runs: no fault of a task."""


class _Container(Protocol):
    def __call__(self) -> object: ...


class Observer(Protocol):
    """Takes what comes of a chunk, beside its records."""

    @property
    def console(self) -> Streams | None:
        """Where output goes; to the streams of this process if None."""
        ...

    @property
    def is_live(self) -> bool:
        """Whether each end is known at once, and so has to be recorded before."""
        ...

    def done(self, content: bytes, /) -> object:
        """Take a pickled `Done`; in the order of the assignments."""
        ...

    def notify(self, event: Event, /) -> None:
        """Take an event."""
        ...


def run_chunk(
    common: protocol.Common,
    chunk: protocol.Chunk,
    journal: Journal,
    observer: Observer,
    runtime: InlineRuntime | None = None,
) -> None:
    """Run everything of a chunk, one after the other.

    Args:
        common: What the chunks of a step share.
        chunk: The chunk.
        journal: Where records are written.
        observer: Takes results, events and output.
        runtime: How functions are called.
    """
    context = common.context
    context.return_objects.clear()
    context.return_objects.update(chunk.objects)
    context.masker.add(chunk.secrets)
    context.set_subscribers([observer.notify])
    make_container = cast("_Container | None", common.container)
    services = context.services
    if chunk.folder:
        catalog = services.catalog.in_folder(chunk.folder)
        context.services = services._replace(catalog=catalog)
    try:
        with (
            RunScope(context, make_container() if make_container else None),
            _working_in(chunk.folder),
            active_run(),
        ):
            env = _environment(common, chunk, journal, observer, runtime)
            run_by_hand(_run_all(common, chunk, env, observer))
    finally:
        context.services = services


def _environment(
    common: protocol.Common,
    chunk: protocol.Chunk,
    journal: Journal,
    observer: Observer,
    runtime: InlineRuntime | None,
) -> RunEnvironment:
    env = build_environment(
        common.context,
        runtime or InlineRuntime(),
        Recording(journal, chunk.state, holds=True),
        options=common.options,
        # The run holds these slots for everything that is done here.
        limiters=(Limiter(chunk.slots, "tasks", "wait", is_all=True),),
    )
    env.console = observer.console
    return env


async def _run_all(
    common: protocol.Common,
    chunk: protocol.Chunk,
    env: RunEnvironment,
    observer: Observer,
) -> None:
    known = set(chunk.objects)
    try:
        for assignment in chunk.assignments:
            assignment.scope.outer = common.outer
            done = await _run(assignment, env)
            done = done._replace(objects=_new_objects(env, known))
            content = await _closed(assignment, done, env, observer)
            observer.done(content)
            if done.raised is not None:
                return
    finally:
        env.recorder.flush()
        env.close()


async def _run(assignment: protocol.Assignment, env: RunEnvironment) -> protocol.Done:
    scope, work = assignment.scope, assignment.work
    succeeded, raised = False, None
    try:
        if isinstance(work, Graph):
            succeeded = await run_graph(work, scope, env)
        else:
            await run_step(work, scope, env)
            succeeded = scope.failure is None
    except (Exception, InterruptedHereError):
        raise
    except BaseException as error:  # noqa: BLE001 - sent, and raised there
        raised = _sendable(error)  # the task's own: it ends the run, as in a thread
    failure = scope.failure
    if failure is not None:
        failure = Failure(failure.path, _sendable(failure.error))
    return protocol.Done(succeeded, scope.parameters, failure, {}, raised)


def _new_objects(env: RunEnvironment, known: set[str]) -> dict[str, object]:
    """Return the objects in memory that were made since the last time."""
    objects = env.context.return_objects
    made = {key: it for key, it in objects.items() if key not in known}
    known.update(made)
    return made


async def _closed(
    assignment: protocol.Assignment,
    done: protocol.Done,
    env: RunEnvironment,
    observer: Observer,
) -> bytes:
    """Record the end of a branch; return what is sent of it, pickled."""
    path = assignment.scope.path
    try:
        content = dumps(done)
    except Exception as error:  # noqa: BLE001 - whatever users' objects raise
        problem = WorkerError(explained("send back what was made", error))
        done = protocol.Done(False, {}, Failure(path, problem), {})
        content = dumps(done)
    if isinstance(assignment.work, Graph):
        status = defaults.SUCCESS if done.succeeded else defaults.FAIL
        if done.raised is not None:
            status = defaults.CANCELLED
        finished = BranchFinished(now(), path, status)
        await env.record(finished, more=not observer.is_live)
    if observer.is_live:
        env.recorder.flush()
    return content


def explained(what: str, error: Exception) -> str:
    """Say why something cannot be done in another process.

    Args:
        what: What cannot be done, such as `load its work`.
        error: Why.
    """
    return (
        f"a worker process cannot {what}: {type(error).__name__}: {error}. What tasks "
        "use must be importable there, or be defined in the script; what they return "
        "must be picklable."
    )


@contextlib.contextmanager
def _working_in(folder: str) -> Generator[None]:
    """Change the working directory for the length of a block."""
    before = working_directory()
    try:
        if folder:
            os.chdir(folder)
        yield
    finally:
        if folder:
            os.chdir(before or "/")
            # The process that made it may be gone.
            shutil.rmtree(folder, ignore_errors=True)


def _sendable(error: BaseException) -> BaseException:
    """Return the error, or another one with its text if it cannot be pickled."""
    try:
        pickle.loads(dumps(error))
    except Exception:  # noqa: BLE001 - whatever the user's exception raises
        return RunError(type_and_text(error))
    return error
