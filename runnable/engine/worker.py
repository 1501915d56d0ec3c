"""Run branches and steps in a worker process: the side that is the worker.

Started by `runnable.engine.workers`, which says what the two tell each other.
"""

import codecs
import contextlib
import io
import os
import pickle
import select
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from runnable.ambient import active_run
from runnable.context import RunScope
from runnable.datastore import CodeVersions, ObjectLoader, Record
from runnable.engine import messages
from runnable.engine.branches import run_branches, traverse
from runnable.engine.recorder import Recorder
from runnable.engine.runtimes import InlineRuntime, run_by_hand
from runnable.engine.runtimes.base import GRACE_SECONDS
from runnable.engine.scopes import Failure, Scope
from runnable.engine.session import Services, Session
from runnable.engine.step import in_one_line, run_attempts
from runnable.engine.traversal import Outcome
from runnable.events import Event, TaskEvent, Warned
from runnable.exceptions import RunError
from runnable.graph import Graph, TaskNode
from runnable.runs import Runs
from runnable.under_way import UnderWay

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Line:
    """The line to the process that has the run; also the journal of the branch."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._speaking = 0
        """The thread that is just saying something."""
        self._later: list[bytes] = []

    def append(self, record: Record) -> None:
        """Have a record kept, and wait until it is."""
        self.ask(messages.Written(record))

    def ask(self, message: messages.Message) -> None:
        """Say something, and wait until it has been dealt with."""
        self._speak(_dump(message), answered=True)

    def say(self, message: messages.Message) -> None:
        """Say something that needs no answer."""
        self._speak(_dump(message), answered=False)

    def _speak(self, content: bytes, *, answered: bool) -> None:
        if self._speaking == threading.get_ident():
            # An object that the garbage collector ends just here has printed something.
            self._later.append(content)
            return
        with self._lock:
            self._speaking = threading.get_ident()
            try:
                self._connection.send_bytes(content)
                if answered:
                    self._connection.recv()
                while self._later:
                    self._connection.send_bytes(self._later.pop(0))
            finally:
                self._speaking = 0

    def close(self) -> None:
        """Keep the line open for the next branch."""


def _dump(message: messages.Message) -> bytes:
    import cloudpickle

    return bytes(cloudpickle.dumps(message, pickle.HIGHEST_PROTOCOL))


class _Forwarding(io.RawIOBase):
    """What is written goes to the process that has the run."""

    def __init__(self, line: _Line, stream: str) -> None:
        self._line = line
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, piece: "ReadableBuffer", /) -> int:
        """Pass on a piece."""
        content = bytes(piece)
        self._line.say(messages.Output(self._stream, self._decoder.decode(content)))
        return len(content)


def _text_stream(line: _Line, stream: str) -> TextIO:
    binary = io.BufferedWriter(_Forwarding(line, stream))
    return io.TextIOWrapper(
        binary, "utf-8", "backslashreplace", newline="", write_through=True
    )


class _Container(Protocol):
    def __call__(self) -> object: ...


def serve(connection: Connection) -> None:
    """Run branches until nobody wants any more.

    Args:
        connection: To the process that has the run.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    busy = threading.Event()
    threading.Thread(target=_end_with, args=(connection, busy), daemon=True).start()
    line = _Line(connection)
    sys.stdout, sys.stderr = (_text_stream(line, it) for it in ("stdout", "stderr"))
    common: messages.Common | None = None
    try:
        while True:
            work = cast("messages.Work", connection.recv())
            try:
                common = pickle.loads(work.common) if work.common else common
                assignment = pickle.loads(work.assignment)
            except Exception as error:  # noqa: BLE001 - whatever users' objects raise
                line.say(messages.Refused(_explain("load its work", error)))
                continue
            busy.set()
            done = _run(cast("messages.Common", common), assignment, line)
            busy.clear()
            try:
                line.say(done)
            except (AttributeError, TypeError, pickle.PicklingError) as error:
                line.say(messages.Refused(_explain("send back what was made", error)))
    except (EOFError, OSError, KeyboardInterrupt):
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def _end_with(connection: Connection, busy: threading.Event) -> None:
    """End what runs here when the process that has the run is gone."""
    hung_up = select.poll()
    hung_up.register(connection.fileno(), select.POLLHUP)
    hung_up.poll()
    if busy.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _explain(what: str, error: Exception) -> str:
    return (
        f"a worker process cannot {what}: {type(error).__name__}: {error}. What tasks "
        "use must be importable there, or be defined in the script; what they return "
        "must be picklable."
    )


def _run(
    common: messages.Common, assignment: messages.Assignment, line: _Line
) -> messages.Done:
    context, scope = common.context, assignment.scope
    scope.outer = common.outer
    context.return_objects.clear()
    context.return_objects.update(assignment.objects)
    make_container = cast("_Container | None", common.container)
    context.masker.add(assignment.secrets)
    with (
        RunScope(context, make_container() if make_container else None),
        _working_in(assignment.folder),
    ):
        session = _session(common, assignment, line)
        with active_run():
            succeeded = run_by_hand(_do(assignment.part, scope, session))
        session.workers.close()
    sys.stdout.flush()
    sys.stderr.flush()
    made = {
        key: it
        for key, it in context.return_objects.items()
        if key not in assignment.objects
    }
    failure, secrets = _sendable(scope), context.masker.known
    return messages.Done(succeeded, scope.parameters, failure, made, secrets)


async def _do(part: Graph | TaskNode, scope: Scope, session: Session) -> bool:
    if isinstance(part, Graph):
        return await traverse(part, scope, session)
    outcome = await run_attempts(part, scope, session, run_branches)
    return outcome is Outcome.SUCCEEDED


@contextlib.contextmanager
def _working_in(folder: str) -> Iterator[None]:
    """Work in a directory, and be back where we were afterwards."""
    before = Path.cwd()
    try:
        if folder:
            os.chdir(folder)
        yield
    finally:
        os.chdir(before)
        if folder:
            # Whoever made it may be gone.
            shutil.rmtree(folder, ignore_errors=True)


def _session(
    common: messages.Common, assignment: messages.Assignment, line: _Line
) -> Session:
    context, objects = common.context, common.context.return_objects
    catalog, folder = common.catalog, assignment.folder
    if folder:
        catalog = catalog.in_folder(folder)
        context.catalog = context.catalog.in_folder(folder)
    services = Services(
        catalog,
        common.secrets,
        common.pickler,
        common.run_log_store,
        CodeVersions(),
        UnderWay(),
        Runs(),
    )
    return Session(
        context=context,
        services=services,
        runtime=InlineRuntime(),
        recorder=Recorder(line, [partial(_tell, line)]),
        objects=objects if common.keeps_objects_in_memory else None,
        loader=ObjectLoader(
            context.run_id, services.catalog, services.pickler, objects
        ),
        conditions=common.conditions,
        masker=context.masker,
        history=assignment.history,
    )


def _tell(line: _Line, event: Event) -> None:
    # Records are told by the process that keeps them.
    if isinstance(event, TaskEvent | Warned):
        line.ask(messages.Told(event))


def _sendable(scope: Scope) -> Failure | None:
    """Return why a branch failed, with an error that can be pickled both ways."""
    failure = scope.failure
    if failure is None:
        return None
    import cloudpickle

    try:
        pickle.loads(cloudpickle.dumps(failure.error))
    except Exception:  # noqa: BLE001 - whatever the user's exception raises
        return Failure(failure.path, RunError(in_one_line(failure.error)))
    return failure
