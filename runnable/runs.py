"""The runs of a container: how many go on at once, and how they are ended.

Theory of operation. Who wants to go on asks a `Limiter`, and is let in at once, or
gets something to wait for, or is refused. Who waits is let in first come, first served:
who leaves hands on the place. What is nested in a run has its place with it, so that no
run ever waits for itself.
"""

import threading
import time
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Literal, get_args

from runnable.exceptions import EngineBusyError
from runnable.scope import Run

WhenBusy = Literal["wait", "refuse"]
_LOOK_AGAIN_SECONDS = 0.01


class Limiter:
    """Lets in so many at once.

    Args:
        limit: How many; any number if None.
        what: What they are, for errors.
        when_busy: Whether others wait, or are refused.

    Example:
        >>> turns = Limiter(1, "runs", "wait")
        >>> turns.acquire() is None
        True
        >>> waiting = turns.acquire()
        >>> waiting.done(), turns.release(), waiting.done()
        (False, None, True)
    """

    def __init__(self, limit: int | None, what: str, when_busy: WhenBusy) -> None:
        if limit is not None and limit < 1:
            raise ValueError(f"at most {limit} {what} at once: it must be 1 or more")
        if when_busy not in get_args(WhenBusy):
            raise ValueError(f"when_busy is {when_busy!r}: it is 'wait' or 'refuse'")
        self.limit = limit
        self._what = what
        self._when_busy = when_busy
        # Whatever is collected as garbage meanwhile, in this thread, may leave.
        self._lock = threading.RLock()
        self._inside = 0
        self._waiting: dict[Future[None], None] = {}

    def acquire(self) -> Future[None] | None:
        """Ask to be let in.

        Returns:
            None if that is so; else what is done then, for `release` or `give_up`.

        Raises:
            EngineBusyError: If there is no room, and nobody waits here.
        """
        place: Future[None] = Future()
        with self._lock:
            if self.limit is None or self._inside < self.limit:
                self._inside += 1
                return None
            if self._when_busy == "wait":
                self._waiting[place] = None
                return place
        raise EngineBusyError(self._what, self.limit)

    def release(self) -> None:
        """Make room for the next one."""
        with self._lock:
            place = next(iter(self._waiting), None)
            if place is None:
                self._inside -= 1
            else:
                del self._waiting[place]
        if place is not None:
            place.set_result(None)

    def give_up(self, place: Future[None]) -> None:
        """Wait no longer; who has just been let in leaves.

        Args:
            place: What `acquire` gave.
        """
        with self._lock:
            waits = place in self._waiting
            self._waiting.pop(place, None)
        if not waits:
            self.release()


class ActiveRun:
    """A run that goes on, or waits for its turn.

    Args:
        run: The run.
        cancel: Ends it, from any thread, however often it is called; it records that
            it was cancelled.
        is_lost: Tells whether it can neither go on nor end.
    """

    __slots__ = ("cancel", "is_apart", "is_lost", "run", "run_id")

    def __init__(
        self,
        run: Run,
        cancel: Callable[[], object],
        is_lost: Callable[[], bool] = lambda: False,
    ) -> None:
        self.run = run
        self.run_id = run.context.run_id
        self.cancel = cancel
        self.is_lost = is_lost
        self.is_apart = run.is_apart
        """Whether it does not end with the run that it is nested in."""


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
        >>> AppContainer().runs().turns.limit
        8
    """

    def __init__(
        self,
        max_runs: int | None = None,
        max_steps: int | None = None,
        when_busy: WhenBusy = "wait",
    ) -> None:
        self.turns = Limiter(max_runs, "runs", when_busy)
        self.step_turns = Limiter(max_steps, "steps", "wait")
        self._lock = threading.RLock()
        self._active: set[ActiveRun] = set()
        self._closed = False

    @contextmanager
    def registered(self, run: ActiveRun) -> Iterator[None]:
        """Know of a run for the length of a block.

        Args:
            run: The run.

        Raises:
            EngineBusyError: After `shutdown`.
        """
        with self._lock:
            if self._closed:
                raise EngineBusyError("runs", 0)
            self._active.add(run)
        try:
            yield
        except Exception:
            raise
        except BaseException:
            self._cancel_within({run.run})
            raise
        finally:
            with self._lock:
                self._active.discard(run)

    def active(self) -> list[str]:
        """List the ids of the runs that go on or wait for their turn, sorted."""
        return sorted(it.run_id for it in self._all())

    def is_nested(self, run: Run | None) -> bool:
        """Tell whether a run belongs to a step of one of these.

        Args:
            run: The run.
        """
        these = {it.run for it in self._all()} if run and run.outer else set()
        return _is_within(run, these)

    def has_place(self, turns: Limiter, run: Run | None) -> bool:
        """Tell whether a run needs no turn: what is nested has its place already.

        Args:
            turns: Which turn.
            run: The run.
        """
        return turns.limit is None or self.is_nested(run)

    def cancel(self, run_id: str) -> bool:
        """End a run; returns at once, and the run records that it was cancelled.

        Whoever executes it gets an `ExecutionCancelledError`.

        Args:
            run_id: Its id.

        Returns:
            Whether there is such a run.
        """
        found = [it for it in self._all() if it.run_id == run_id]
        for it in found:
            it.cancel()
        self._cancel_within({it.run for it in found})
        return bool(found)

    def _cancel_within(self, these: AbstractSet[Run]) -> None:
        """End what is nested in some runs, and does not end with them."""
        for it in self._all() if these else ():
            if it.is_apart and _is_within(it.run, these):
                it.cancel()

    def _all(self) -> tuple[ActiveRun, ...]:
        with self._lock:
            known = tuple(self._active)
        return tuple(it for it in known if not it.is_lost())

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
        for it in self._all() if cancel else ():
            # What is nested in another one ends with that, as a rule.
            if it.is_apart or not self.is_nested(it.run):
                it.cancel()
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while (left := self.active()) and (end is None or time.monotonic() < end):
            time.sleep(_LOOK_AGAIN_SECONDS)
        return left


def _is_within(run: Run | None, these: AbstractSet[Run]) -> bool:
    """Tell whether a run belongs to a step of one of some."""
    while run is not None:
        run = run.outer
        if run in these:
            return True
    return False
