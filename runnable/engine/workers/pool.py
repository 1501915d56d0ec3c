"""Worker processes: started when needed, kept for a run, and ended with it."""

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys

from runnable.capture import real_environment
from runnable.concurrency import call_later
from runnable.engine.runtimes.base import GRACE_SECONDS
from runnable.engine.workers.fork_server import ForkServer, absolute_import_path
from runnable.engine.workers.protocol import Beginning
from runnable.system.working_directory import working_directory

_PIECE_SECONDS = 1.0


class WorkerGoneError(Exception):
    """A worker process has closed its side, or cannot be reached."""


class Worker:
    """One process; it runs one branch at a time.

    Args:
        server: Forks it.
    """

    def __init__(self, server: ForkServer) -> None:
        from multiprocessing.connection import Connection  # only who starts one pays

        ours, theirs = socket.socketpair()
        with theirs:
            self._connection = Connection(ours.detach())
            self._process = server.fork(theirs)
        # Kept: a connection makes one each time that it is asked for a message.
        self._incoming = selectors.DefaultSelector()
        self._incoming.register(self._connection, selectors.EVENT_READ)
        folder = str(working_directory() or "")
        self.send(Beginning(absolute_import_path(), real_environment(), folder))
        self.stopped = False
        self.common: bytes | None = None
        """The shared part of the job, as it was sent last."""

    def send(self, message: object) -> None:
        """Send a message.

        Raises:
            WorkerGoneError: If it cannot be reached.
        """
        try:
            self._connection.send(message)
        except OSError as error:
            raise WorkerGoneError from error

    def receive(self) -> object:
        """Wait for the next message of the worker.

        Raises:
            WorkerGoneError: If it will send nothing more.
        """
        try:
            while not self._incoming.select(_PIECE_SECONDS):
                # Its children may hold the line open for longer than it lives.
                if self._process.poll() is not None and not self._incoming.select(0):
                    raise WorkerGoneError
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise WorkerGoneError from error

    def stop(self) -> None:
        """Terminate it; kill it if it does not end within the grace period."""
        self.stopped = True
        self._process.terminate()
        call_later(GRACE_SECONDS, self._process.kill)

    def kill(self) -> None:
        """Kill it, if it has not ended."""
        self._process.kill()

    def close(self) -> None:
        """Let it end, and wait for its end."""
        self._incoming.close()
        self._connection.close()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self.stopped and sys.platform != "win32":
            # Processes that a task started are in the group of its worker.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def end_reason(self) -> str:
        """Wait for its end, and return how it ended: by which signal or status."""
        self.close()
        code = self._process.returncode or 0
        return f"signal {-code}" if code < 0 else f"exit status {code}"


class Workers:
    """The worker processes of one run.

    Args:
        server: Forks them; one of their own if None.
    """

    __slots__ = ("_all", "_idle", "_own", "_server")

    def __init__(self, server: ForkServer | None = None) -> None:
        self._all: list[Worker] = []
        self._idle: list[Worker] = []
        self._server = server
        self._own: ForkServer | None = None

    @property
    def were_started(self) -> bool:
        """Whether there are any."""
        return bool(self._all)

    def take(self) -> Worker:
        """Return an idle worker; start one if there is none."""
        try:
            return self._idle.pop()
        except IndexError:
            worker = Worker(self._server or self._own_server())
            self._all.append(worker)
            return worker

    def _own_server(self) -> ForkServer:
        if self._own is None:
            self._own = ForkServer()
        return self._own

    def give_back(self, worker: Worker) -> None:
        """Keep an idle worker for another branch."""
        self._idle.append(worker)

    def close(self) -> None:
        """Let all of them end; calling it again does nothing."""
        workers, self._all = self._all, []
        with contextlib.ExitStack() as stack:
            for worker in workers:
                stack.callback(worker.close)
                if worker not in self._idle:
                    # Its branch was cancelled; its result is not awaited.
                    stack.callback(worker.kill)
        if self._own is not None:
            self._own.close()
