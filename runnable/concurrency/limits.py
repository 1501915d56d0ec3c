"""Limits: how many runs or steps are active at once.

Theory of operation. A caller asks a `Limiter` for a slot, and gets it at once, or gets
a future to wait for, or is refused. Waiting callers are admitted first come, first
served: a released slot is handed on. Tasks of runs that are nested in a step share the
slot of that step, so no run waits for itself; more of them take slots that are free.
"""

import threading
from concurrent.futures import Future
from typing import Literal, get_args
from weakref import WeakValueDictionary

from runnable.concurrency.errors import EngineBusyError

WhenBusy = Literal["wait", "refuse"]


class Limiter:
    """Admits a limited number of callers at once.

    Args:
        limit: How many; any number if None.
        what: What is limited, for errors.
        when_busy: Whether further callers wait, or are refused.

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
        # Reentrant: a finalizer run by the garbage collector may call release().
        self._lock = threading.RLock()
        self._inside = 0
        self._waiting: dict[Future[None], None] = {}
        self._nested: WeakValueDictionary[object, NestedLimiter] | None = None

    def nested(self, step: object) -> "NestedLimiter":
        """Return the limiter of the runs that are nested in a step.

        Args:
            step: Identifies the step, which holds one slot of this limiter.
        """
        with self._lock:
            if self._nested is None:
                self._nested = WeakValueDictionary()
            found = self._nested.get(step)
            if found is None:
                found = self._nested[step] = NestedLimiter(self)
            return found

    def acquire_free(self) -> bool:
        """Take a slot if one is free; never wait."""
        with self._lock:
            return self._admit()

    def _admit(self) -> bool:
        if self.limit is not None and self._inside >= self.limit:
            return False
        self._inside += 1
        return True

    def _leave(self) -> None:
        self._inside -= 1

    def acquire(self) -> Future[None] | None:
        """Ask for a slot.

        Returns:
            None if the caller has it; else a future that is done once it has. Either
            way, call `release` afterwards, or `give_up` to stop waiting.

        Raises:
            EngineBusyError: If there is none, and callers do not wait here.
        """
        slot: Future[None] = Future()
        with self._lock:
            if self._admit():
                return None
            if self._when_busy == "wait":
                self._waiting[slot] = None
                return slot
        raise EngineBusyError(self._what, self.limit or 0)

    def release(self) -> None:
        """Give back a slot; the caller that has waited longest gets it."""
        with self._lock:
            slot = next(iter(self._waiting), None)
            if slot is None:
                self._leave()
            else:
                del self._waiting[slot]
        if slot is not None:
            slot.set_result(None)

    def give_up(self, slot: Future[None]) -> None:
        """Stop waiting; a slot that was just granted is released.

        Args:
            slot: The future that `acquire` returned.
        """
        with self._lock:
            waits = slot in self._waiting
            self._waiting.pop(slot, None)
        if not waits:
            self.release()


class NestedLimiter(Limiter):
    """Shares the slot of one step among the tasks of the runs that are nested in it.

    Args:
        outer: Grants the slot of the step, and further ones while some are free.
    """

    def __init__(self, outer: Limiter) -> None:
        super().__init__(1, "steps", "wait")
        self._outer = outer

    def _admit(self) -> bool:
        if self._inside and not self._outer.acquire_free():
            return False
        self._inside += 1
        return True

    def _leave(self) -> None:
        self._inside -= 1
        if self._inside:
            self._outer.release()
