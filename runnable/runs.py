"""The runs of a container: how many go on at once, and how they are ended.

Theory of operation. Who wants to go on asks a `Turnstile`, and is let in at once, or
gets something to wait for, or is refused. Who waits is let in first come, first served:
who leaves hands on the place. What is nested in a run has its place with it, so that no
run ever waits for itself.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Literal

from runnable.exceptions import EngineBusyError

WhenBusy = Literal["wait", "refuse"]
_LOOK_AGAIN_SECONDS = 0.01


class Turnstile:
    """Lets in so many at once.

    Args:
        most: How many; any number if None.
        what: What they are, for errors.
        when_busy: Whether others wait, or are refused.

    Example:
        >>> turns = Turnstile(1, "runs", "wait")
        >>> turns.enter() is None
        True
        >>> waiting = turns.enter()
        >>> waiting.done(), turns.leave(), waiting.done()
        (False, None, True)
    """

    def __init__(self, most: int | None, what: str, when_busy: WhenBusy) -> None:
        if most is not None and most < 1:
            raise ValueError(f"at most {most} {what} at once: it must be 1 or more")
        self.most = most
        self._what = what
        self._when_busy = when_busy
        self._lock = threading.Lock()
        self._inside = 0
        self._waiting: deque[Future[None]] = deque()

    def enter(self) -> Future[None] | None:
        """Ask to be let in.

        Returns:
            None if that is so; else what is done when it is, for `leave` or `give_up`.

        Raises:
            EngineBusyError: If there is no room, and nobody waits here.
        """
        with self._lock:
            if self.most is None or self._inside < self.most:
                self._inside += 1
                return None
            if self._when_busy == "refuse":
                raise EngineBusyError(self._what, self.most)
            place: Future[None] = Future()
            self._waiting.append(place)
            return place

    def leave(self) -> None:
        """Make room for the next one."""
        with self._lock:
            while self._waiting:
                place = self._waiting.popleft()
                if place.set_running_or_notify_cancel():
                    place.set_result(None)
                    return
            self._inside -= 1

    def give_up(self, place: Future[None]) -> None:
        """Wait no longer; who has just been let in leaves.

        Args:
            place: What `enter` gave.
        """
        if not place.cancel():
            self.leave()


class ActiveRun:
    """A run that goes on, or waits for its turn.

    Args:
        run_id: Its id.
        cancel: Ends it, from any thread.
    """

    __slots__ = ("_cancel", "cancelled", "run_id")

    def __init__(self, run_id: str, cancel: Callable[[], object]) -> None:
        self.run_id = run_id
        self.cancelled = False
        """Whether somebody has ended it."""
        self._cancel = cancel

    def cancel(self) -> None:
        """End it; it records that it was cancelled."""
        self.cancelled = True
        self._cancel()


class Runs:
    """The runs of a container.

    A container of your own says how many there are at once:

    Args:
        max_runs: How many runs go on at once; any number if None.
        max_steps: How many tasks of them do.
        when_busy: `wait` for one's turn, first come first served; or `refuse`, with an
            `EngineBusyError`. Tasks always wait.

    Example:
        >>> from dependency_injector import providers
        >>> from containers import RunContainer
        >>> class AppContainer(RunContainer):
        ...     runs = providers.ThreadSafeSingleton(Runs, max_runs=8)
        >>> AppContainer().runs().turns.most
        8
    """

    def __init__(
        self,
        max_runs: int | None = None,
        max_steps: int | None = None,
        when_busy: WhenBusy = "wait",
    ) -> None:
        self.turns = Turnstile(max_runs, "runs", when_busy)
        self.step_turns = Turnstile(max_steps, "steps", "wait")
        self._lock = threading.Lock()
        self._active: set[ActiveRun] = set()
        self._closed = False

    def add(self, run: ActiveRun) -> None:
        """Know of a run, until `discard`.

        Args:
            run: The run.

        Raises:
            EngineBusyError: After `shutdown`.
        """
        with self._lock:
            if self._closed:
                raise EngineBusyError("runs", 0)
            self._active.add(run)

    def discard(self, run: ActiveRun) -> None:
        """Forget a run, which has ended."""
        with self._lock:
            self._active.discard(run)

    def active(self) -> list[str]:
        """List the ids of the runs that go on or wait for their turn, sorted."""
        with self._lock:
            return sorted(run.run_id for run in self._active)

    def cancel(self, run_id: str) -> bool:
        """End a run; returns at once, and the run records that it was cancelled.

        Whoever executes it gets an `ExecutionCancelledError`.

        Args:
            run_id: Its id.

        Returns:
            Whether there is such a run.
        """
        with self._lock:
            found = [run for run in self._active if run.run_id == run_id]
        for run in found:
            run.cancel()
        return bool(found)

    def shutdown(
        self, *, cancel: bool = False, timeout_seconds: float | None = None
    ) -> list[str]:
        """Begin no more runs, and wait for those that go on.

        On an event loop, call it in a thread: `await asyncio.to_thread(runs.shutdown)`.

        Args:
            cancel: Whether they are ended first.
            timeout_seconds: How long they are waited for; for ever if None.

        Returns:
            The ids of those that still go on.
        """
        with self._lock:
            self._closed = True
            runs = list(self._active)
        for run in runs if cancel else ():
            run.cancel()
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while (left := self.active()) and (end is None or time.monotonic() < end):
            time.sleep(_LOOK_AGAIN_SECONDS)
        return left
