"""Run branches in a worker process: the side that is the worker.

Started by `runnable.engine.workers`, which says what the two tell each other.
"""

import io
import pickle
import signal
import sys
import threading
from functools import partial
from multiprocessing.connection import Connection
from types import FrameType
from typing import Protocol, cast

from runnable.ambient import active_run
from runnable.context import RunScope
from runnable.datastore import CodeVersions, ObjectLoader, Record
from runnable.engine.branches import traverse
from runnable.engine.messages import (
    Assignment,
    Done,
    Message,
    Output,
    Refused,
    Told,
    Written,
)
from runnable.engine.recorder import Recorder
from runnable.engine.runtimes import InlineRuntime, run_by_hand
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Services, Session
from runnable.engine.step import in_one_line
from runnable.events import Event, TaskEvent, Warned
from runnable.exceptions import RunError


class _Line:
    """The line to the process that has the run; also the journal of the branch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def append(self, record: Record) -> None:
        """Have a record kept, and wait until it is."""
        with self._lock:
            self._connection.send(Written(record))
            self._connection.recv()

    def say(self, message: Message) -> None:
        """Say something that needs no answer."""
        import cloudpickle

        content = cloudpickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        with self._lock:
            self._connection.send_bytes(content)

    def close(self) -> None:
        """Keep the line open for the next branch."""


class _Forwarding(io.TextIOBase):
    """A standard stream whose text is written by the process that has the run."""

    def __init__(self, line: _Line, stream: str) -> None:
        self._line = line
        self._stream = stream

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, text: str, /) -> int:
        """Pass on a piece."""
        self._line.say(Output(self._stream, text))
        return len(text)


class _Container(Protocol):
    def __call__(self) -> object: ...


def serve(connection: Connection) -> None:
    """Run branches until nobody wants any more.

    Args:
        connection: To the process that has the run.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    line = _Line(connection)
    sys.stdout, sys.stderr = (_Forwarding(line, it) for it in ("stdout", "stderr"))
    try:
        while True:
            line.say(_answer(connection.recv_bytes(), line))
    except (EOFError, OSError, KeyboardInterrupt):
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _answer(content: bytes, line: _Line) -> Message:
    try:
        assignment = cast("Assignment", pickle.loads(content))
    except Exception as error:  # noqa: BLE001 - whatever the users' objects raise
        return Refused(
            f"a worker process cannot load a branch: {type(error).__name__}: {error}. "
            "What tasks use must be importable there, or defined in the script."
        )
    context, scope = assignment.context, assignment.scope
    make_container = cast("_Container | None", assignment.container)
    with RunScope(context, make_container() if make_container else None):
        session = _session(assignment, line)
        before = frozenset(context.return_objects)
        with active_run():
            succeeded = run_by_hand(traverse(assignment.graph, scope, session))
        session.workers.close()
    made = {key: it for key, it in context.return_objects.items() if key not in before}
    return Done(succeeded, scope.parameters, _sendable(scope), made)


def _session(assignment: Assignment, line: _Line) -> Session:
    context = assignment.context
    in_memory = assignment.keeps_objects_in_memory
    loader = ObjectLoader(
        context.run_id, assignment.catalog, assignment.pickler, context.return_objects
    )
    return Session(
        context=context,
        services=Services(
            assignment.catalog,
            assignment.secrets,
            assignment.pickler,
            assignment.run_log_store,
            CodeVersions(),
        ),
        runtime=InlineRuntime(),
        recorder=Recorder(line, [partial(_tell, line)]),
        objects=context.return_objects if in_memory else None,
        loader=loader,
        overlap=assignment.overlap,
        history=assignment.history,
    )


def _tell(line: _Line, event: Event) -> None:
    # Records are told by the process that keeps them.
    if isinstance(event, TaskEvent | Warned):
        line.say(Told(event))


def _sendable(scope: Scope) -> Failure | None:
    """Return why a branch failed, with an error that can be pickled both ways."""
    import cloudpickle

    failure = scope.failure
    if failure is None:
        return None
    try:
        pickle.loads(cloudpickle.dumps(failure.error))
    except Exception:  # noqa: BLE001 - whatever the user's exception raises
        return Failure(failure.path, RunError(in_one_line(failure.error)))
    return failure
