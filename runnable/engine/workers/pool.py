"""Worker processes: started when needed, kept for a run, and ended with it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from runnable.concurrency import call_later
from runnable.engine.runtimes.base import GRACE_SECONDS
from runnable.system.working_directory import working_directory

_BOOT = """
import sys
from multiprocessing.connection import Connection
connection = Connection(int(sys.argv[1]))
sys.path[:] = connection.recv()
from runnable.system.fast_import import import_markers
import_markers()
from runnable.engine.worker_server import serve
serve(connection)
"""

_PIECE_SECONDS = 1.0


class WorkerGoneError(Exception):
    """A worker process has closed its side, or cannot be reached."""


class Worker:
    """One process; it runs one branch at a time."""

    def __init__(self) -> None:
        from multiprocessing.connection import Connection  # only who starts one pays

        ours, theirs = socket.socketpair()
        with theirs:
            self._connection = Connection(ours.detach())
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter
                [sys.executable, "-c", _BOOT, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # A Ctrl-C at the terminal is for the run, which stops its workers.
                start_new_session=True,
            )
        # The worker may work in another directory.
        self.send(absolute_import_path())
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
            while not self._connection.poll(_PIECE_SECONDS):
                # Its children may hold the line open for longer than it lives.
                if self._process.poll() is not None and not self._connection.poll():
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

    def forget(self) -> None:
        """Leave it to the process that started it: this one was forked from that."""
        self._connection.close()
        self._process.returncode = 0  # it is not waited for here

    def end_reason(self) -> str:
        """Wait for its end, and return how it ended: by which signal or status."""
        self.close()
        code = self._process.returncode
        return f"signal {-code}" if code < 0 else f"exit status {code}"


def absolute_import_path() -> list[str]:
    """Return `sys.path` as it is meant from any working directory."""
    here = working_directory()
    return [
        os.path.join(here or "", it)  # noqa: PTH118 - of strings
        for it in sys.path
        if here is not None or Path(it).is_absolute()
    ]


class IdleWorkers(Protocol):
    """Keeps idle workers for other runs."""

    def take(self) -> Worker | None:
        """Return one that is as good as a new one, if there is one."""
        ...

    def give_back(self, workers: Sequence[Worker]) -> Sequence[Worker]:
        """Keep idle ones; return those that are not kept."""
        ...


class Workers:
    """The worker processes of one run.

    Args:
        others: Has idle ones of earlier runs, and gets those of this one at its end.
    """

    __slots__ = ("_all", "_idle", "_others")

    def __init__(self, others: IdleWorkers | None = None) -> None:
        self._all: list[Worker] = []
        self._idle: list[Worker] = []
        self._others = others

    @property
    def were_started(self) -> bool:
        """Whether there are any."""
        return bool(self._all)

    def take(self) -> Worker:
        """Return an idle worker; start one if there is none."""
        try:
            return self._idle.pop()
        except IndexError:
            warm = self._others.take() if self._others is not None else None
            worker = warm or Worker()
            self._all.append(worker)
            return worker

    def give_back(self, worker: Worker) -> None:
        """Keep an idle worker for another branch."""
        self._idle.append(worker)

    def close(self) -> None:
        """Let all of them end or go; calling it again does nothing."""
        workers, self._all = self._all, []
        if self._others is not None:
            idle = [it for it in workers if it in self._idle and not it.stopped]
            closed = self._others.give_back(idle)
            workers = [it for it in workers if it not in idle or it in closed]
        with contextlib.ExitStack() as stack:
            for worker in workers:
                stack.callback(worker.close)
                if worker not in self._idle:
                    # Its branch was cancelled; its result is not awaited.
                    stack.callback(worker.kill)
