"""Start worker processes by forking one that has imported what they need.

Theory of operation. A new Python takes a third of a second to import the library, a
fork of one that has done so a few milliseconds. The server is such a process, started
by the first run of a container that needs a worker. It runs no code of users and has
one thread, so what is forked is as good as new: it then gets the import path, the
environment, the working directory and the standard streams of that moment, runs work
for one run, and ends. The server reports how each of them has ended, through a pipe
that is made for it. It ends with this process, or when it was not needed for a while.
"""

import array
import atexit
import contextlib
import gc
import io
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from runnable.concurrency import call_later
from runnable.engine.runtimes.base import GRACE_SECONDS
from runnable.system.working_directory import working_directory

if TYPE_CHECKING:
    from types import FrameType

_BOOT = """
import sys
sys.path[:] = {path!r}
from runnable.system.wiring_import import import_wiring
import_wiring()
import importlib
for name in {modules!r}:
    importlib.import_module(name)
from runnable.engine.worker_server import work
from runnable.engine.workers.fork_server import serve_forks
serve_forks(int(sys.argv[1]), work)
"""
_STREAMS = (1, 2)
_REQUEST = b"f"
_LOOK_SECONDS = 5.0
_File = io.IOBase.__mro__[1]


class ForkedProcess:
    """A process that the server has forked; as `subprocess.Popen`, as far as needed."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._status = status
        self._lock = threading.Lock()
        weakref.finalize(self, _close, status)

    def poll(self) -> int | None:
        """Return how it has ended, as `subprocess` has it; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: If it has not ended in time.
        """
        with self._lock:
            if self.returncode is None:
                ready, _, _ = select.select([self._status], [], [], timeout)
                if not ready:
                    raise subprocess.TimeoutExpired("worker", timeout or 0.0)
                content = os.read(self._status, 16)
                # Without a report, the server has died, and this one with it.
                self.returncode = int(content) if content else -signal.SIGKILL
            return self.returncode

    def terminate(self) -> None:
        """Send SIGTERM, if it has not ended."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL, if it has not ended."""
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def absolute_import_path() -> list[str]:
    """Return `sys.path` as it is meant from any working directory."""
    here = working_directory()
    return [
        os.path.join(here or "", it)  # noqa: PTH118 - of strings
        for it in sys.path
        if here is not None or Path(it).is_absolute()
    ]


def _own_modules() -> list[str]:
    """Return the modules of the library that this process has imported by now.

    Those of the user may differ at the next run, and may start threads.
    """
    own = ("runnable.", "containers.")
    return ["cloudpickle", *(name for name in sys.modules if name.startswith(own))]


def _close(descriptor: int) -> None:
    with contextlib.suppress(OSError):
        os.close(descriptor)


class ForkServer:
    """The fork server of a container; it is started when it is needed.

    Args:
        idle_seconds: How long it is kept when nobody needs it.
    """

    def __init__(self, idle_seconds: float = 60.0) -> None:
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._owner = 0
        self._control: socket.socket | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._used_at = 0.0
        self._children: weakref.WeakSet[ForkedProcess] = weakref.WeakSet()

    def fork(self, connection: socket.socket) -> ForkedProcess:
        """Fork a worker.

        Args:
            connection: Its end of the connection; the caller closes it.

        Raises:
            OSError: If the server cannot be started.
        """
        with self._lock:
            self._used_at = time.monotonic()
            control = self._started()
            try:
                child = _ask(control, connection)
            except OSError:
                # It was killed, maybe for lack of memory: once more, with a new one.
                self._end()
                child = _ask(self._started(), connection)
            self._children.add(child)
            return child

    def _started(self) -> socket.socket:
        if self._owner != os.getpid():
            self._forget()
        if self._control is None:
            ours, theirs = socket.socketpair()
            boot = _BOOT.format(path=absolute_import_path(), modules=_own_modules())
            with theirs:
                self._server = subprocess.Popen(  # noqa: S603 - this interpreter
                    [sys.executable, "-c", boot, str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            self._control = ours
            call_later(self._look_seconds, self._end_if_idle)
            weakref.finalize(self, _end, ours, self._server, os.getpid())
        return self._control

    @property
    def _look_seconds(self) -> float:
        return min(self._idle_seconds, _LOOK_SECONDS)

    def _end_if_idle(self) -> None:
        with self._lock:
            if self._control is None or self._owner != os.getpid():
                return
            if any(child.poll() is None for child in self._children):
                self._used_at = time.monotonic()
            if time.monotonic() - self._used_at >= self._idle_seconds:
                self._end()
            else:
                call_later(self._look_seconds, self._end_if_idle)

    def _forget(self) -> None:
        """Leave it to the process that this one was forked from."""
        if self._control is not None:
            self._control.close()
        if self._server is not None:
            self._server.returncode = 0
        self._control = self._server = None
        self._owner = os.getpid()

    def _end(self) -> None:
        if self._control is not None and self._server is not None:
            _end(self._control, self._server, self._owner)
        self._control = self._server = None

    def close(self) -> None:
        """End the server; workers that run go on."""
        with self._lock:
            self._end()


def _end(control: socket.socket, server: subprocess.Popen[bytes], owner: int) -> None:
    control.close()
    if owner != os.getpid():
        return
    try:
        server.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _ask(control: socket.socket, connection: socket.socket) -> ForkedProcess:
    reading, writing = os.pipe()
    try:
        descriptors = array.array("i", [connection.fileno(), writing, *_STREAMS])
        data = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors.tobytes())]
        control.sendmsg([_REQUEST], data)
        pid = int(control.recv(16) or _gone())
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    return ForkedProcess(pid, reading)


def _gone() -> NoReturn:
    raise ConnectionResetError("the fork server has ended")


def serve_forks(descriptor: int, work: Callable[[int], object]) -> None:
    """Fork workers until the control connection is closed; this is the server.

    Args:
        descriptor: The control connection.
        work: Called in each worker, with its connection.
    """
    gc.freeze()  # so that the collector touches nothing that forks share
    waking, woken = os.pipe()
    for it in (waking, woken):
        os.set_blocking(it, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, _nothing)
    statuses: dict[int, int] = {}
    with socket.socket(fileno=descriptor) as control:
        while True:
            ready, _, _ = select.select([descriptor, waking], [], [])
            if waking in ready:
                _report(waking, statuses)
            if descriptor not in ready:
                continue
            message, data, _, _ = control.recvmsg(1, socket.CMSG_SPACE(64))
            if not message:
                break
            own = (descriptor, waking, woken, *statuses.values())
            pid, status = _fork(work, array.array("i", data[0][2]), own)
            statuses[pid] = status
            control.sendall(str(pid).encode())
    while statuses:  # what is running is waited for
        select.select([waking], [], [])
        _report(waking, statuses)


def _fork(
    work: Callable[[int], object], descriptors: Sequence[int], own: Sequence[int]
) -> tuple[int, int]:
    """Fork a worker; return its process id, and where its end is to be reported."""
    connection, status, *streams = descriptors
    pid = os.fork()
    if not pid:
        _run_child(work, connection, streams, (status, *own))
    for it in (connection, *streams):
        os.close(it)
    return pid, status


def _nothing(number: int, frame: "FrameType | None") -> None:
    """Have SIGCHLD wake the server up."""


def _report(waking: int, statuses: dict[int, int]) -> None:
    """Report the children that have ended."""
    with contextlib.suppress(BlockingIOError):
        os.read(waking, 4096)
    for pid in list(statuses):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            writing = statuses.pop(pid)
            with contextlib.suppress(OSError):  # nobody wants to know
                os.write(writing, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(writing)


def _run_child(
    work: Callable[[int], object],
    connection: int,
    streams: list[int],
    of_server: Sequence[int],
) -> NoReturn:
    """Do the work of a child, and end; never back into the loop of the server."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for it in of_server:
            os.close(it)
        for target, it in zip(_STREAMS, streams, strict=True):
            os.dup2(it, target)
            os.close(it)
        work(connection)
    finally:
        _exit()


def _exit() -> NoReturn:
    """End without what the interpreter would take apart; write what is open."""
    with contextlib.suppress(BaseException):  # it ends in any case
        atexit._run_exitfuncs()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]  # as multiprocessing does
        _flush_files()
    os._exit(0)


def _flush_files() -> None:
    """Write what was left open; what the server had itself is frozen, so not listed."""
    # The base class in C: a question to the abstract one costs 20 times as much.
    files = [it for it in gc.get_objects() if issubclass(type(it), _File)]
    for file in cast("list[io.IOBase]", files):
        with contextlib.suppress(OSError, ValueError):
            file.flush()
