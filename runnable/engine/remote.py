"""Run a branch in a worker process: the side that has the run.

Theory of operation. A worker is a Python process of its own that this one talks to
through a socket; it is started when there is a branch for it, serves others of the same
run, and ends when the socket is closed, also by this process's death. It gets the
graph, the parameters and the services of a branch, pickled, and runs it as this process
would. What it records is sent here, kept in the run's journal, and acknowledged before
the worker goes on: a journal has one writer, whatever its store, and what is kept does
not depend on how a worker ends. Output and events come the same way. The script that
runs is not imported again; what it defines travels by value.
"""

import contextlib
import pickle
import sys
import threading
from typing import cast

from runnable import defaults
from runnable.datastore import ObjectParameter
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
from runnable.engine.runtimes.calls import CallInterrupted
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Session
from runnable.exceptions import WorkerError
from runnable.graph import Graph, Overlap
from runnable.scope import live_run
from runnable.tasks import Call


class RemoteBranches:
    """Runs the branches of one step in worker processes.

    Args:
        outer: The scope that the step stands in.
        session: The run.
    """

    def __init__(self, outer: Scope, session: Session) -> None:
        self._outer = outer
        self._session = session
        self._common: bytes | None = None
        self._lock = threading.Lock()

    async def run(self, graph: Graph, scope: Scope, session: Session) -> bool:
        """Run the graph of a branch in a worker process.

        Args:
            graph: The graph.
            scope: Its parameters; gets what the branch sets, and why it failed.
            session: The run.

        Returns:
            Whether it ended at its success node. A worker that dies fails its branch.
        """
        stop = _Stop()
        call = Call(self._in_worker, (graph, scope, stop), stop=stop)
        try:
            done = cast("Done", await session.runtime.invoke(call))
        except WorkerError as error:
            scope.failure = Failure(scope.path, error)
            return False
        scope.parameters, scope.failure = done.parameters, done.failure
        session.masker.add(done.secrets)
        if session.objects is not None:
            session.objects.update(done.objects)
        return done.succeeded

    def _in_worker(self, graph: Graph, scope: Scope, stop: "_Stop") -> Done:
        # Packing and starting a process take a while: not on an event loop.
        session = self._session
        assignment = _dump(
            Assignment(
                graph,
                scope.alone(),
                _objects_for(scope, session),
                session.history.under(scope.path),
                session.masker.known,
            ),
            scope.path,
        )
        common = self._pack_common(scope.path)
        worker = session.workers.take()
        stop.worker = worker
        if stop.called:
            worker.stop()  # it was to end before there was a worker
        known, worker.common = worker.common is common, common
        work = Work(None if known else common, assignment)
        done = _converse(worker, work, scope.path, session)
        session.workers.give_back(worker)
        return done

    def _pack_common(self, branch: str) -> bytes:
        with self._lock:
            if self._common is None:
                session, services = self._session, self._session.services
                common = Common(
                    self._outer.without_failures(),
                    session.context,
                    services.catalog,
                    services.secrets,
                    services.pickler,
                    services.run_log_store,
                    _container_class(branch),
                    session.objects is not None,
                    # Branches within branches have processors enough in threads.
                    Overlap("thread", session.overlap.max_workers),
                )
                self._common = _dump(common, branch)
            return self._common


def _objects_for(scope: Scope, session: Session) -> dict[str, object]:
    """Return the objects that a branch can ask for, of those in memory."""
    found = scope.visible().values() if session.objects else ()
    return {
        parameter.key: session.objects[parameter.key]
        for parameter in found
        if isinstance(parameter, ObjectParameter)
        and session.objects is not None
        and parameter.key in session.objects
    }


class _Stop:
    """Ends the worker that runs a branch, once there is one."""

    worker: Worker | None = None
    called = False

    def __call__(self) -> None:
        self.called = True
        if self.worker is not None:
            self.worker.stop()


def _dump(content: Common | Assignment, branch: str) -> bytes:
    import cloudpickle  # only who uses processes pays for it

    try:
        return bytes(cloudpickle.dumps(content, pickle.HIGHEST_PROTOCOL))
    except Exception as error:
        # Whatever the users' objects raise when they are pickled.
        problem = (
            f"branch {branch!r} cannot be sent to a worker process: "
            f"{type(error).__name__}: {error}. With parallelism: thread, branches "
            "overlap without being sent."
        )
        raise WorkerError(problem) from error


def _container_class(branch: str) -> type[object] | None:
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
            f"branch {branch!r} cannot be sent to a worker process: its container "
            f"{found.__qualname__} must be defined in a module that can be imported"
        )
    return found


def _converse(worker: Worker, work: Work, branch: str, session: Session) -> Done:
    """Have a branch run, and keep, tell and write what the worker says."""
    try:
        worker.send(work)
        return _listen(worker, session)
    except WorkerGoneError:
        why = f"its worker process has ended ({worker.fate()})"
        status = defaults.CANCELLED if worker.stopped else defaults.FAIL
        session.recorder.end_open(status, why, under=branch)
        if worker.stopped:
            raise CallInterrupted from None
        raise WorkerError(f"branch {branch!r}: {why}") from None
    except WorkerError as refusal:
        worker.close()
        raise WorkerError(f"branch {branch!r}: {refusal}") from None
    except BaseException:
        # Interrupted here, or something could not be recorded. What it still says is
        # heard, until it ends, maybe in the middle of a word.
        worker.stop()
        with contextlib.suppress(Exception):
            _listen(worker, session)
        worker.close()
        session.recorder.end_open(defaults.CANCELLED, "cancelled", under=branch)
        raise


def _listen(worker: Worker, session: Session) -> Done:
    while True:
        match cast("Message", worker.receive()):
            case Written(record):
                session.recorder.record(record)
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
