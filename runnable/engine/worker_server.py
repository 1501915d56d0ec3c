"""Run branches and steps in a worker process: the side that is the worker.

Started by `workers.pool`; `worker_client` is the other end, and describes both.
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
from collections.abc import Generator, Iterable
from functools import partial
from multiprocessing.connection import Connection
from types import FrameType
from typing import TYPE_CHECKING, Protocol, TextIO, cast

from runnable.capture import active_run, replace_environment
from runnable.concurrency import Limiter
from runnable.context import RunScope
from runnable.datastore import Record
from runnable.engine.environment import build_environment
from runnable.engine.error_texts import type_and_text
from runnable.engine.parameter_scope import Failure
from runnable.engine.run_graph import run_graph
from runnable.engine.runtimes import InlineRuntime, run_by_hand
from runnable.engine.runtimes.base import GRACE_SECONDS
from runnable.engine.steps.step import run_step
from runnable.engine.workers import protocol
from runnable.engine.workers.pickling import dumps
from runnable.errors import RunError
from runnable.events import Event, TaskEvent, Warned
from runnable.graph import Graph
from runnable.secrets import Masker
from runnable.system.working_directory import working_directory

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _Line:
    """The connection to the process that has the run; also the journal."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._sending_thread = 0
        """The thread that is sending a message."""
        self._later: list[bytes] = []
        self._secrets: frozenset[str] = frozenset()
        """Those that the other end knows."""
        self._masker = Masker()

    def follow(self, masker: Masker) -> None:
        """Report the secrets that a masker learns, and tell it those of other steps."""
        self._masker, self._secrets = masker, masker.known
        masker.share_with(self)

    def add(self, values: Iterable[str], names: Iterable[str] = ()) -> None:
        """Report secrets at once: this process may die, and others may print them."""
        del names  # the records of the steps have them
        new = frozenset(values) - self._secrets
        if new:
            self._secrets |= new
            self.ask(protocol.Learned(new))

    def append(self, record: Record) -> None:
        """Send a record, and wait until it is written."""
        self.ask(protocol.Written(record))

    def ask(self, message: protocol.Message) -> None:
        """Send a message, and wait for the answer."""
        secrets = self._transmit(dumps(message), answered=True)
        if secrets:
            self._secrets |= secrets
            self._masker.add(secrets)

    def send(self, message: protocol.Message) -> None:
        """Send a message that needs no answer."""
        self.send_pickled(dumps(message))

    def send_pickled(self, content: bytes) -> None:
        """Send a message that is pickled already."""
        self._transmit(content, answered=False)

    def _transmit(self, content: bytes, *, answered: bool) -> frozenset[str]:
        answer: frozenset[str] = frozenset()
        if self._sending_thread == threading.get_ident():
            # A finalizer that the garbage collector runs just here has printed.
            self._later.append(content)
            return answer
        with self._lock:
            self._sending_thread = threading.get_ident()
            try:
                self._connection.send_bytes(content)
                if answered:
                    answer = self._connection.recv()
                while self._later:
                    self._connection.send_bytes(self._later.pop(0))
            finally:
                self._sending_thread = 0
        return answer

    def close(self) -> None:
        """Keep the connection open for the next branch."""


class _Forwarding(io.RawIOBase):
    """A stream that sends what is written to the process that has the run."""

    def __init__(self, line: _Line, stream: str) -> None:
        self._line = line
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the stream of this process, which programs started here write to."""
        return 1 if self._stream == "stdout" else 2

    def write(self, piece: "ReadableBuffer", /) -> int:
        """Send a piece."""
        content = bytes(piece)
        self._line.send(protocol.Output(self._stream, self._decoder.decode(content)))
        return len(content)


def _text_stream(line: _Line, stream: str) -> TextIO:
    binary = io.BufferedWriter(_Forwarding(line, stream))
    # Line by line: the lines before the one in which a worker dies are known.
    return io.TextIOWrapper(
        binary, "utf-8", "backslashreplace", newline="", line_buffering=True
    )


class _TerminatedError(KeyboardInterrupt):
    """The process that has the run wants this one to end."""


class _Container(Protocol):
    def __call__(self) -> object: ...


def work(descriptor: int) -> None:
    """Be a worker, until the connection is closed.

    Args:
        descriptor: The connection to the process that has the run.
    """
    connection = Connection(descriptor)
    with contextlib.suppress(EOFError, OSError):
        begin(cast("protocol.Beginning", connection.recv()))
        serve(connection)


def serve(connection: Connection) -> None:
    """Run branches and steps until the connection is closed.

    Args:
        connection: To the process that has the run.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    busy = threading.Event()
    threading.Thread(target=_end_with, args=(connection, busy), daemon=True).start()
    line = _Line(connection)
    sys.stdout, sys.stderr = (_text_stream(line, it) for it in ("stdout", "stderr"))
    serving = _Serving(line, busy)
    try:
        while True:
            packet = cast("protocol.Packet", connection.recv())
            line.send_pickled(serving.run(packet))
    except _TerminatedError:
        # So that the other end, or whoever looks, sees the signal in its exit status.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    except (EOFError, OSError, KeyboardInterrupt):
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


class _Serving:
    """What a worker keeps from one packet to the next."""

    def __init__(self, line: _Line, busy: threading.Event) -> None:
        self._line = line
        self._busy = busy
        self._common: protocol.Common | None = None

    def run(self, packet: protocol.Packet) -> bytes:
        """Run what a packet assigns; return how it went, pickled."""
        try:
            if packet.common:
                self._common = pickle.loads(packet.common)
            assignment = pickle.loads(packet.assignment)
        except Exception as error:  # noqa: BLE001 - whatever users' objects raise
            return dumps(protocol.Refused(_explain("load its work", error)))
        self._busy.set()
        done = _run(cast("protocol.Common", self._common), assignment, self._line)
        self._busy.clear()
        try:
            return dumps(done)
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            return dumps(protocol.Refused(_explain("send back what was made", error)))


def begin(beginning: protocol.Beginning) -> None:
    """Have what the process has that wants the work, where it does now.

    Args:
        beginning: Its import path, environment and working directory.
    """
    sys.path[:] = beginning.import_path
    replace_environment(beginning.environment)
    if beginning.folder:
        os.chdir(beginning.folder)


def _end_with(connection: Connection, busy: threading.Event) -> None:
    """End this process when the one that has the run is gone."""
    hung_up = select.poll()
    hung_up.register(connection.fileno(), select.POLLHUP)
    hung_up.poll()
    if busy.is_set():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(1)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise _TerminatedError


def _explain(what: str, error: Exception) -> str:
    return (
        f"a worker process cannot {what}: {type(error).__name__}: {error}. What tasks "
        "use must be importable there, or be defined in the script; what they return "
        "must be picklable."
    )


def _run(
    common: protocol.Common, assignment: protocol.Assignment, line: _Line
) -> protocol.Done:
    context, scope = common.context, assignment.scope
    succeeded, raised = False, None
    scope.outer = common.outer
    context.return_objects.clear()
    context.return_objects.update(assignment.objects)
    context.masker.add(assignment.secrets)
    line.follow(context.masker)
    context.set_subscribers([partial(_forward, line)])
    try:
        succeeded = _run_here(common, assignment, line)
    except (Exception, _TerminatedError):
        raise
    except BaseException as error:  # noqa: BLE001 - sent, and raised there
        raised = _sendable(error)  # the task's own: it ends the run, as in a thread
    sys.stdout.flush()
    sys.stderr.flush()
    made = {
        key: it
        for key, it in context.return_objects.items()
        if key not in assignment.objects
    }
    failure = scope.failure
    if failure is not None:
        failure = Failure(failure.path, _sendable(failure.error))
    return protocol.Done(succeeded, scope.parameters, failure, made, raised)


def _run_here(
    common: protocol.Common, assignment: protocol.Assignment, line: _Line
) -> bool:
    """Run the work in the directory that it is to have; return if it succeeded."""
    context = common.context
    make_container = cast("_Container | None", common.container)
    services = context.services
    if assignment.folder:
        catalog = services.catalog.in_folder(assignment.folder)
        context.services = services._replace(catalog=catalog)
    try:
        with (
            RunScope(context, make_container() if make_container else None),
            _working_in(assignment.folder),
            active_run(),
        ):
            return run_by_hand(_execute(common, assignment, line))
    finally:
        context.services = services


async def _execute(
    common: protocol.Common, assignment: protocol.Assignment, line: _Line
) -> bool:
    scope = assignment.scope
    env = build_environment(
        common.context,
        InlineRuntime(),
        line,
        assignment.state,
        options=common.options,
        # The run holds one place for everything that is done here.
        step_limit=Limiter(1, "steps", "wait") if common.has_limit else None,
    )
    try:
        work = assignment.work
        if isinstance(work, Graph):
            return await run_graph(work, scope, env)
        await run_step(work, scope, env)
        return scope.failure is None
    finally:
        env.close()


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


def _forward(line: _Line, event: Event) -> None:
    # The process that writes records notifies subscribers of them.
    if isinstance(event, TaskEvent | Warned):
        line.ask(protocol.Emitted(event))


def _sendable(error: BaseException) -> BaseException:
    """Return the error, or another one with its text if it cannot be pickled."""
    try:
        pickle.loads(dumps(error))
    except Exception:  # noqa: BLE001 - whatever the user's exception raises
        return RunError(type_and_text(error))
    return error
