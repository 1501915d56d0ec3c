"""Limits: how many runs or steps are active at once.

Theory of operation. A caller asks a `Limiter` for a place, and gets it at once, or gets
a future to wait for, or is refused. Waiting callers are admitted first come, first
served: whoever releases a place hands it on.
"""

import threading
from concurrent.futures import Future
from typing import Literal, get_args

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

    def acquire(self) -> Future[None] | None:
        """Ask for a place.

        Returns:
            None if the caller has it; else a future that is done once it has. Either
            way, call `release` afterwards, or `give_up` to stop waiting.

        Raises:
            EngineBusyError: If there is none, and callers do not wait here.
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
        """Give back a place; the caller that has waited longest gets it."""
        with self._lock:
            place = next(iter(self._waiting), None)
            if place is None:
                self._inside -= 1
            else:
                del self._waiting[place]
        if place is not None:
            place.set_result(None)

    def give_up(self, place: Future[None]) -> None:
        """Stop waiting; a place that was just granted is released.

        Args:
            place: The future that `acquire` returned.
        """
        with self._lock:
            waits = place in self._waiting
            self._waiting.pop(place, None)
        if not waits:
            self.release()
