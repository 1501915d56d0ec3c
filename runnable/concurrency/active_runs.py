"""The active runs of a container: how many there are at once, and how they end.

A run that is nested in another one shares its slot, so no run ever waits for itself.
"""

import os
import threading
import time
from collections.abc import Callable, Generator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from types import MappingProxyType
from typing import get_args

from runnable.concurrency.errors import EngineBusyError
from runnable.concurrency.limits import Limiter, WhenBusy
from runnable.concurrency.named_limits import StepLimits
from runnable.concurrency.queueing import ANY, Wants
from runnable.graph import Interrupt
from runnable.scope import Run

_POLL_SECONDS = 0.01


class ActiveRun:
    """A run that is active, or waits for its turn.

    Args:
        run: The run.
        cancel: Ends it, from any thread, however often it is called; it records that
            it was cancelled.
        is_lost: Returns True if it can neither continue nor end.
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
        max_runs: How many runs are active at once; any number if None.
        max_steps: How many tasks of them do.
        when_busy: `wait` for one's turn, first come first served; or `refuse`, with an
            `EngineBusyError`. Tasks always wait.
        interrupt: What happens to functions in threads that are to end, unless their
            task says otherwise: an exception is raised in them (`raise`), or they are
            left to end by themselves (`abandon`).
        limits: How many slots there are for tasks that name what they take, by name:
            `{"gpu": 1, "api": 5}` for `PythonTask(..., limits=["gpu"])`.
        limits_folder: A folder through which processes of this machine share these
            limits; they are of this process alone if None.

    Raises:
        ValueError: If a limit is less than 1, or a name is empty.
        ConfigurationError: If the folder cannot be used.

    Example:
        >>> from dependency_injector import providers
        >>> from containers import RunContainer
        >>> class AppContainer(RunContainer):
        ...     runs = providers.ThreadSafeSingleton(Runs, max_runs=8)
        >>> AppContainer().runs().run_limit.limit
        8
    """

    def __init__(
        self,
        max_runs: int | None = None,
        max_steps: int | None = None,
        when_busy: WhenBusy = "wait",
        interrupt: Interrupt = "raise",
        limits: Wants = MappingProxyType({}),
        limits_folder: str | os.PathLike[str] | None = None,
    ) -> None:
        if interrupt not in get_args(Interrupt):
            raise ValueError(f"interrupt is {interrupt!r}: it is 'raise' or 'abandon'")
        self.interrupt: Interrupt = interrupt
        in_all: Wants = {} if max_runs is None else {ANY: max_runs}
        self.run_limit = Limiter(in_all, "runs", when_busy)
        self.step_limits = StepLimits(max_steps, limits, limits_folder)
        self._lock = threading.RLock()
        self._active: set[ActiveRun] = set()
        self._closed = False

    @contextmanager
    def registered(self, run: ActiveRun) -> Generator[None]:
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
        """List the ids of the runs that are active or wait for their turn, sorted."""
        return sorted(it.run_id for it in self._all())

    def is_nested(self, run: Run | None) -> bool:
        """Return True if a run belongs to a step of one of these.

        Args:
            run: The run.
        """
        if run is None or run.outer is None:
            return _is_within(run, frozenset())
        return _is_within(run, {it.run for it in self._all()})

    def has_slot(self, run: Run | None) -> bool:
        """Return True if a run need not ask for a slot: a nested run shares one.

        Args:
            run: The run.
        """
        return self.run_limit.limit is None or self.is_nested(run)

    def cancel(self, run_id: str) -> bool:
        """End a run; returns at once, and the run records that it was cancelled.

        Its caller gets an `ExecutionCancelledError`.

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
        """Start no more runs, and wait for those that are active.

        On an event loop, call it in a thread: `await asyncio.to_thread(runs.shutdown)`.

        Args:
            cancel: Whether they are ended first.
            timeout_seconds: How long they are waited for; for ever if None.

        Returns:
            The ids of those that are still active.
        """
        with self._lock:
            self._closed = True
        for it in self._all() if cancel else ():
            # A nested run usually ends with the run around it.
            if it.is_apart or not self.is_nested(it.run):
                it.cancel()
        end = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        while (left := self.active()) and (end is None or time.monotonic() < end):
            time.sleep(_POLL_SECONDS)
        return left


def _is_within(run: Run | None, these: AbstractSet[Run]) -> bool:
    """Return True if a run belongs to a step of one of some."""
    while run is not None:
        run = run.outer
        if run in these:
            return True
    return False
