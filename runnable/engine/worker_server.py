"""Run branches and steps in a worker process: the side that is the worker.

Started by `workers.pool`; `worker_client` is the other end, and describes both.
"""

import codecs
import contextlib
import io
import os
import pickle
import select
import signal
import sys
import threading
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from types import FrameType
from typing import TYPE_CHECKING, NamedTuple, TextIO, cast

from runnable.capture import replace_environment
from runnable.datastore import Record
from runnable.engine.chunk_runner import InterruptedHereError, explained, run_chunk
from runnable.engine.runtimes.base import GRACE_SECONDS
from runnable.engine.workers import protocol
from runnable.engine.workers.pickling import dumps
from runnable.events import Event, TaskEvent, Warned
from runnable.secrets import Masker

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

    def append(self, record: Record, *more: Record) -> None:
        """Send records; wait until they are written, if the last is awaited."""
        written = protocol.Written((record, *more))
        if written.is_awaited:
            self.ask(written)
        else:
            self.send(written)

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


class _TerminatedError(InterruptedHereError):
    """The process that has the run wants this one to end."""


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
            serving.run(packet)
    except _TerminatedError:
        # So that the other end, or whoever looks, sees the signal in its exit status.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    except (EOFError, OSError, KeyboardInterrupt):
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


class _Observer(NamedTuple):
    """Sends what comes of a chunk; see `chunk_runner.Observer`."""

    line: _Line
    console: None = None
    is_live: bool = True

    def done(self, content: bytes) -> None:
        """Send how a branch or a step has ended, after all that it has printed."""
        sys.stdout.flush()
        sys.stderr.flush()
        self.line.send_pickled(content)

    def notify(self, event: Event) -> None:
        """Send an event, unless it is a record: who writes it notifies subscribers."""
        if isinstance(event, TaskEvent | Warned):
            self.line.ask(protocol.Emitted(event))


class _Serving:
    """State of a worker between packets."""

    def __init__(self, line: _Line, busy: threading.Event) -> None:
        self._line = line
        self._busy = busy
        self._common: protocol.Common | None = None

    def run(self, packet: protocol.Packet) -> None:
        """Run what a packet assigns, and send how it went."""
        line = self._line
        try:
            if packet.common:
                self._common = pickle.loads(packet.common)
            chunk = cast("protocol.Chunk", pickle.loads(packet.chunk))
        except Exception as error:  # noqa: BLE001 - whatever users' objects raise
            line.send(protocol.Refused(explained("load its work", error)))
            return
        common = cast("protocol.Common", self._common)
        self._busy.set()
        common.context.masker.add(chunk.secrets)
        line.follow(common.context.masker)
        run_chunk(common, chunk, line, _Observer(line))
        self._busy.clear()


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
