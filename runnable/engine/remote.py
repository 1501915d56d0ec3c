"""Run a branch or a step in a worker process: the side that has the run.

Theory of operation. A worker is a Python process of its own that this one talks to
through a socket; it is started when there is work for it, does more for the same run,
and ends when the socket is closed, also by this process's death. It gets the graph, the
parameters and the services of a branch, pickled, and runs it as this process would; or
a step, which then has the working directory to itself. What it records is sent here,
kept in the run's journal, and acknowledged before the worker goes on: a journal has one
writer, whatever its store, and what is kept does not depend on how a worker ends.
Output and events come the same way. The script that runs is not imported again; what it
defines travels by value.
"""

import contextlib
import pickle
import sys
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple, cast

from runnable import defaults
from runnable.datastore import ObjectParameter, StepFinished, StepStarted
from runnable.engine.attempt import settle_all
from runnable.engine.history import History
from runnable.engine.messages import (
    Assignment,
    Common,
    Done,
    Message,
    Output,
    Refused,
    Told,
    Work,
    Written,
)
from runnable.engine.processes import Worker, WorkerGoneError
from runnable.engine.recorder import now
from runnable.engine.runtimes.calls import CallInterrupted
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Session
from runnable.engine.traversal import Outcome
from runnable.exceptions import WorkerError
from runnable.graph import Graph, Overlap, TaskNode, join
from runnable.scope import live_run
from runnable.tasks import Call


class Part(NamedTuple):
    """What a worker process is to run."""

    name: str
    """For errors."""
    work: Graph | TaskNode
    scope: Scope
    folder: str = ""
    """The working directory, if it is to be another one."""

    @property
    def path(self) -> str:
        """The path of the step or of the branch."""
        if isinstance(self.work, TaskNode):
            return join(self.scope.path, self.work.name)
        return self.scope.path


class Remote:
    """Runs the branches of one step, or that step, in worker processes.

    Args:
        outer: What the scopes stand in.
        session: The run.
    """

    def __init__(self, outer: Scope | None, session: Session) -> None:
        self._outer = outer
        self._session = session
        self._common: bytes | None = None
        self._lock = threading.Lock()

    async def run_branch(self, graph: Graph, scope: Scope, session: Session) -> bool:
        """Run the graph of a branch in a worker process.

        Args:
            graph: The graph.
            scope: Its parameters; gets what the branch sets, and why it failed.
            session: The run that this was made for.

        Returns:
            Whether it ended at its success node. A worker that dies fails its branch.
        """
        del session
        return await self._run(Part(f"branch {scope.path!r}", graph, scope))

    async def run_step(self, node: TaskNode, scope: Scope) -> Outcome:
        """Run a step in a worker process, in a directory of its own.

        Args:
            node: The step.
            scope: The parameters that it reads; gets what it returns.

        Returns:
            How it ended. A worker that dies fails the step.
        """
        path = join(scope.path, node.name)
        with tempfile.TemporaryDirectory(
            prefix="runnable-", ignore_cleanup_errors=True
        ) as folder:
            part = Part(f"step {path!r}", node, scope, folder)
            succeeded = await self._run(part)
        return Outcome.SUCCEEDED if succeeded else Outcome.FAILED

    async def _run(self, part: Part) -> bool:
        stop, scope, session = _Stop(), part.scope, self._session
        call = Call(self._in_worker, (part, stop), stop=stop)
        try:
            done = cast("Done", await session.runtime.invoke(call))
        except WorkerError as error:
            scope.failure = Failure(part.path, error)
            if stop.has_begun:
                await session.off_loop(self._settle, part.path)
            else:
                await self._record_failure(part, error)
            return False
        scope.parameters = done.parameters
        scope.failure = done.failure or scope.failure
        session.masker.add(done.secrets)
        if session.objects is not None:
            session.objects.update(done.objects)
        return done.succeeded

    def _settle(self, path: str) -> None:
        """Bring back what a process has replaced that cannot do so any more."""
        services, run_id = self._session.services, self._session.context.run_id
        if services.catalog.unsettled(run_id):
            history = History(services.run_log_store.read(run_id))
            settle_all(services.catalog, run_id, history, history.paths_at(path))

    async def _record_failure(self, part: Part, error: WorkerError) -> None:
        """Record that a step has failed before any process could run it."""
        if isinstance(part.work, TaskNode):
            past, node = self._session.history.of(part.path), part.work
            number = past.last_attempt + 1 if past is not None else 1
            record, path, why = self._session.record, part.path, str(error)
            await record(StepStarted(now(), path, node.name, node.node_type, number))
            await record(StepFinished(now(), path, defaults.FAIL, {}, [], number, why))

    def _in_worker(self, part: Part, stop: "_Stop") -> Done:
        # Packing and starting a process take a while: not on an event loop.
        session = self._session
        scope = part.scope.alone()
        if part.folder:
            here = {defaults.CALLER_DIRECTORY: str(Path.cwd())}
            scope.environment = {**scope.environment, **here}
        assignment = Assignment(
            part.work,
            scope,
            _objects_for(part.scope, session),
            session.history.under(scope.path),
            session.masker.known,
            part.folder,
        )
        packed, common = _dump(assignment, part.name), self._pack_common(part.name)
        worker = session.workers.take()
        stop.worker = worker
        if stop.called:
            worker.stop()  # it was to end before there was a worker
        known, worker.common = worker.common is common, common
        work = Work(None if known else common, packed)
        done = _converse(worker, work, part, session, stop)
        session.workers.give_back(worker)
        return done

    def _pack_common(self, name: str) -> bytes:
        with self._lock:
            if self._common is None:
                session, services = self._session, self._session.services
                outer, conditions = self._outer, self._session.conditions
                # Branches within branches have processors enough in threads.
                overlap = Overlap("thread", conditions.overlap.max_workers)
                common = Common(
                    outer.without_failures() if outer is not None else None,
                    session.context,
                    services.catalog,
                    services.secrets,
                    services.pickler,
                    services.run_log_store,
                    _container_class(name),
                    session.objects is not None,
                    conditions._replace(overlap=overlap),
                )
                self._common = _dump(common, name)
            return self._common


def _objects_for(scope: Scope, session: Session) -> dict[str, object]:
    """Return the objects that a scope can ask for, of those in memory."""
    found = scope.visible().values() if session.objects else ()
    return {
        parameter.key: session.objects[parameter.key]
        for parameter in found
        if isinstance(parameter, ObjectParameter)
        and session.objects is not None
        and parameter.key in session.objects
    }


class _Stop:
    """Ends the worker that runs something, once there is one."""

    worker: Worker | None = None
    called = False
    has_begun = False
    """Whether the worker has had something recorded."""

    def __call__(self) -> None:
        self.called = True
        if self.worker is not None:
            self.worker.stop()


def _dump(content: Common | Assignment, name: str) -> bytes:
    import cloudpickle  # only who uses processes pays for it

    try:
        return bytes(cloudpickle.dumps(content, pickle.HIGHEST_PROTOCOL))
    except Exception as error:
        # Whatever the users' objects raise when they are pickled.
        problem = (
            f"{name} cannot be sent to a worker process: {type(error).__name__}: "
            f"{error}. With parallelism: thread, and in a shared workspace, nothing is "
            "sent."
        )
        raise WorkerError(problem) from error


def _container_class(name: str) -> type[object] | None:
    run = live_run()
    if run is None or run.container is None:
        return None
    # An instance is of another class than the one that was called to make it.
    found: type[object] = getattr(
        run.container, "declarative_parent", type(run.container)
    )
    if found.__module__ == "__main__" or "<locals>" in found.__qualname__:
        # By value, dependency-injector's containers arrive empty.
        raise WorkerError(
            f"{name} cannot be sent to a worker process: its container "
            f"{found.__qualname__} must be defined in a module that can be imported"
        )
    return found


def _converse(
    worker: Worker, work: Work, part: Part, session: Session, stop: _Stop
) -> Done:
    """Have something run, and keep, tell and write what the worker says."""
    # In one scope, one step runs at a time: nothing else can be under way there.
    under = part.scope.path
    try:
        worker.send(work)
        return _listen(worker, session, stop)
    except WorkerGoneError:
        why = f"its worker process has ended ({worker.fate()})"
        status = defaults.CANCELLED if worker.stopped else defaults.FAIL
        session.recorder.end_open(status, why, under=under)
        if worker.stopped:
            raise CallInterrupted from None
        raise WorkerError(f"{part.name}: {why}") from None
    except WorkerError as refusal:
        worker.close()
        raise WorkerError(f"{part.name}: {refusal}") from None
    except BaseException:
        # Interrupted here, or something could not be recorded. What it still says is
        # heard, until it ends, maybe in the middle of a word.
        worker.stop()
        with contextlib.suppress(Exception):
            _listen(worker, session, stop)
        worker.close()
        session.recorder.end_open(defaults.CANCELLED, "cancelled", under=under)
        raise


def _listen(worker: Worker, session: Session, stop: _Stop) -> Done:
    while True:
        match cast("Message", worker.receive()):
            case Written(record):
                session.recorder.record(record)
                stop.has_begun = True
                worker.send(None)
            case Told(event):
                pause = session.recorder.tell(event)
                if pause is not None:
                    pause.wait()
                worker.send(None)
            case Output(stream, text):
                getattr(sys, stream).write(text)
            case Refused(why):
                raise WorkerError(why)
            case Done() as done:
                return done
