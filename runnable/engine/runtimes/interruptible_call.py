"""A call in one thread that another thread can end."""

import asyncio
import contextlib
import ctypes
import inspect
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future, InvalidStateError
from contextlib import AbstractContextManager

from runnable.engine.runtimes.awaiting import make, must_wait, wait_for
from runnable.events import Pause
from runnable.scope import current_scope
from runnable.tasks import Call
from runnable.tasks.base import Items


class CallInterrupted(BaseException):
    """Raised in a call that is to end; not an Exception, so that code lets it pass."""


class RunningCalls:
    """The calls that one runtime is making, to be interrupted together."""

    def __init__(self) -> None:
        self._active: set[RunningCall] = set()
        self._is_over = False
        self.cancelled: Future[None] = Future()
        """Done when `cancel` has been called."""

    def add(self, call: "RunningCall") -> None:
        """Register a call that begins.

        Raises:
            CallInterrupted: If `cancel` has been called.
        """
        self._active.add(call)
        if self._is_over:
            raise CallInterrupted

    def discard(self, call: "RunningCall") -> None:
        """Forget a call that has ended."""
        self._active.discard(call)

    def cancel(self) -> None:
        """Interrupt these calls, and let no other one begin; from any thread."""
        self._is_over = True
        with contextlib.suppress(InvalidStateError):  # not for the first time
            self.cancelled.set_result(None)
        for call in tuple(self._active):
            call.interrupt()


class RunningCall:
    """Makes a call in whatever thread it is run, and lets others end it there.

    Theory of operation. Python code is ended by an exception that the interpreter
    raises in its thread; that must hit the user's function and nothing else of the
    thread, so it is sent only between entering and leaving the function, which a lock
    shows. One that has been sent and not yet raised when the function is left is taken
    back. What is awaited is cancelled on its loop; what knows better how to end has
    `stop`; and a run that the function executes ends as runs do, so that no exception
    hits the middle of its bookkeeping.

    Args:
        call: The call.
        among: The calls that it belongs to, if they are interrupted together.
        waits: Whether an awaitable result is waited for, on a loop of this thread's
            own; if not, it is the result.
    """

    def __init__(
        self, call: Call, among: RunningCalls | None = None, *, waits: bool = True
    ) -> None:
        self._call = call
        self._among = among
        self._waits = waits
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._cancel: Callable[[], object] | None = call.stop
        self._unwanted = False
        self._insists = False
        """True if a second interruption may call its interrupter again."""

    def run(self) -> object:
        """Make the call.

        Returns:
            Its result.

        Raises:
            CallInterrupted: If it was interrupted.
        """
        run, thread = current_scope().run, threading.get_ident()
        calls = run.calls if run is not None else {}
        calls[thread] = self
        try:
            if self._among is not None:
                self._among.add(self)
            try:
                self._enter(thread)
                result = make(self._call, self._undisturbed)
                if self._waits and must_wait(result):
                    result = self._wait(result)
                return result
            finally:
                self._leave()
        except CallInterrupted:
            # It may have been raised just before the function was left.
            self._leave()
            raise
        finally:
            calls.pop(thread, None)
            if self._among is not None:
                self._among.discard(self)

    def _undisturbed(self) -> Call:
        """Return the call, whose items are taken whole."""
        items = self._call.items
        if items is None:
            return self._call
        return self._call._replace(items=_Undisturbed(items, self.ending_by))

    def _enter(self, thread: int) -> None:
        with self._lock:
            if self._unwanted:
                raise CallInterrupted
            self._thread = thread

    def _leave(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
            if self._unwanted and thread is not None:
                withdraw_interruption()

    def interrupt(self) -> None:
        """End the call, now or when it begins; from any thread, at any time.

        Called again, it insists: the function may have caught what was raised.
        """
        with self._lock:
            again, self._unwanted = self._unwanted, True
            if self._thread is None:
                return
            if self._cancel is None:
                _raise_in(self._thread, CallInterrupted)
            elif self._insists or not again:
                self._cancel()

    @contextlib.contextmanager
    def ending_by(self, end: Callable[[], object]) -> Generator[None]:
        """Have the call ended in another way for the length of a block.

        Args:
            end: Called from any thread, once or more, in place of what ends it else.

        Raises:
            CallInterrupted: If the call has been ended, before or within the block.
        """
        with self._lock:
            before, insisted = self._cancel, self._insists
            if self._unwanted:
                if before is None:
                    withdraw_interruption()
                raise CallInterrupted  # in place of what was just taken back
            self._cancel, self._insists = end, True
        try:
            yield
        finally:
            with self._lock:
                self._cancel, self._insists = before, insisted
            if self._unwanted:
                raise CallInterrupted

    def _wait(self, result: object) -> object:
        # A coroutine from a call without a loop is awaited on a loop of its own.
        try:
            # Nothing is raised where a loop is made or closed: half of one leaks.
            with self.ending_by(_later), asyncio.Runner() as runner:
                return runner.run(self._on_loop(result))
        finally:
            if inspect.iscoroutine(result):
                result.close()  # if it has not even started

    async def _on_loop(self, result: object) -> object:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - a runner runs tasks

        def cancel() -> None:
            with contextlib.suppress(RuntimeError):  # it has just ended by itself
                loop.call_soon_threadsafe(task.cancel)

        with self._lock:
            self._cancel, self._insists = cancel, False
            if self._unwanted:
                task.cancel()
        return await wait_for(result, self._undisturbed())


class _Undisturbed:
    """Takes what a generator yields, whole: its call is ended before or after that."""

    def __init__(
        self,
        items: Items,
        ending_by: Callable[[Callable[[], object]], AbstractContextManager[None]],
    ) -> None:
        self._items = items
        self._ending_by = ending_by

    def begin(self) -> None:
        """Take note that a generator runs."""
        self._items.begin()

    def take(self, item: object) -> Pause | None:
        """Take one item."""
        with self._ending_by(_later):
            return self._items.take(item)


def _later() -> None:
    """Interrupt nothing yet; the next check of the call does."""


class _WithdrawnError(BaseException):
    """Raised and caught at once, in place of an interruption that is withdrawn."""


def withdraw_interruption() -> None:
    """Withdraw an exception that is about to be raised in this thread."""
    # Python could just forget it, but would still expect that something is raised:
    # it would look for that at each call from then on, and a program with a trace or
    # a profile function would never get beyond the next one (CPython 3.11).
    try:
        _raise_in(threading.get_ident(), _WithdrawnError)
        while True:
            pass  # until it is raised, which is at the next instruction
    except _WithdrawnError:
        pass


def _raise_in(thread: int, kind: type[BaseException]) -> None:
    # Raising in another thread is documented in the C API only.
    exception = ctypes.py_object(kind)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), exception)
