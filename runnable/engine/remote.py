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
from typing import cast

from runnable import defaults
from runnable.engine.messages import (
    Assignment,
    Done,
    Message,
    Output,
    Refused,
    Told,
    Written,
)
from runnable.engine.processes import Worker
from runnable.engine.runtimes.calls import CallInterrupted
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Session
from runnable.exceptions import WorkerError
from runnable.graph import Graph
from runnable.scope import live_run
from runnable.tasks import Call


async def run_in_worker(graph: Graph, scope: Scope, session: Session) -> bool:
    """Run the graph of a branch in a worker process.

    Args:
        graph: The graph.
        scope: Its parameters; gets what the branch sets, and why it failed.
        session: The run.

    Returns:
        Whether it ended at its success node. A worker that dies fails its branch.
    """
    try:
        content = _pack(graph, scope, session)
        worker = session.workers.take()
        call = Call(_converse, (worker, content, scope, session), stop=worker.stop)
        done = cast("Done", await session.runtime.invoke(call))
    except WorkerError as error:
        scope.failure = Failure(scope.path, error)
        return False
    session.workers.give_back(worker)
    scope.parameters, scope.failure = done.parameters, done.failure
    if session.objects is not None:
        session.objects.update(done.objects)
    return done.succeeded


def _pack(graph: Graph, scope: Scope, session: Session) -> bytes:
    import cloudpickle  # only who uses processes pays for it

    services = session.services
    assignment = Assignment(
        graph,
        scope,
        session.context,
        services.catalog,
        services.secrets,
        services.pickler,
        services.run_log_store,
        _container_class(scope.path),
        session.objects is not None,
        session.overlap,
        session.history.under(scope.path),
    )
    try:
        return bytes(cloudpickle.dumps(assignment, pickle.HIGHEST_PROTOCOL))
    except Exception as error:
        # Whatever the users' objects raise when they are pickled.
        problem = (
            f"branch {scope.path!r} cannot be sent to a worker process: "
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


def _converse(worker: Worker, content: bytes, scope: Scope, session: Session) -> Done:
    """Have a branch run, and keep, tell and write what the worker says."""
    try:
        worker.connection.send_bytes(content)
        return _listen(worker, session)
    except (EOFError, OSError):
        fate = worker.fate()
        status = defaults.CANCELLED if worker.stopped else defaults.FAIL
        why = f"its worker process has ended ({fate})"
        session.recorder.end_open(status, why, under=scope.path)
        if worker.stopped:
            raise CallInterrupted from None
        raise WorkerError(f"branch {scope.path!r}: {why}") from None
    except WorkerError:
        worker.close()
        raise
    except BaseException:
        # Interrupted here, or something could not be recorded. What it still says is
        # heard, until it ends, maybe in the middle of a word.
        worker.stop()
        with contextlib.suppress(Exception):
            _listen(worker, session)
        worker.close()
        session.recorder.end_open(defaults.CANCELLED, "cancelled", under=scope.path)
        raise


def _listen(worker: Worker, session: Session) -> Done:
    while True:
        message = cast("Message", worker.connection.recv())
        match message:
            case Written(record):
                session.recorder.record(record)
                worker.connection.send(None)
            case Told(event):
                session.recorder.tell(event)
            case Output(stream, text):
                getattr(sys, stream).write(text)
            case Refused(why):
                raise WorkerError(why)
            case Done():
                return message
