"""Limits: how many runs or tasks are active at once, in all and by name.

Theory of operation. A caller asks a `Limiter` for slots, and gets all of them at once,
or gets a future to wait for, or is refused. Who waits is admitted first come, first
served: nobody gets a slot of a name that somebody before is waiting for, and those who
want other names go ahead. Since all slots of a limiter are granted at once, two callers
never wait for each other.

Tasks of runs that are nested in a step share the slots of that step, so no run waits
for itself; more of them take slots that are free.
"""

import threading
from collections import Counter
from collections.abc import MutableMapping
from concurrent.futures import Future
from typing import Literal, get_args
from weakref import WeakValueDictionary

from runnable.concurrency.errors import EngineBusyError
from runnable.concurrency.machine_limits import MachineLimiter
from runnable.concurrency.queueing import ANY, Wants, grant

WhenBusy = Literal["wait", "refuse"]
ONE: Wants = {ANY: 1}


class Limiter:
    """Admits a limited number of callers at once.

    Args:
        limits: How many slots there are, by name.
        what: What is limited, for errors.
        when_busy: Whether further callers wait, or are refused.
        of_machine: Other processes share the limits that it has, so who has slots here
            asks there as well.

    Example:
        >>> turns = Limiter({ANY: 1}, "runs", "wait")
        >>> turns.acquire() is None
        True
        >>> waiting = turns.acquire()
        >>> waiting.done(), turns.release(), waiting.done()
        (False, None, True)
    """

    def __init__(
        self,
        limits: Wants,
        what: str,
        when_busy: WhenBusy,
        of_machine: MachineLimiter | None = None,
    ) -> None:
        for name, limit in limits.items():
            named = f"{what} of {name!r}" if name else what
            if limit < 1:
                problem = f"at most {limit} {named} at once: it must be 1 or more"
                raise ValueError(problem)
        if when_busy not in get_args(WhenBusy):
            raise ValueError(f"when_busy is {when_busy!r}: it is 'wait' or 'refuse'")
        self.limits = limits
        self.of_machine = of_machine
        self._what = what
        self._when_busy = when_busy
        # Reentrant: a finalizer run by the garbage collector may call release().
        self._lock = threading.RLock()
        self._inside: Counter[str] = Counter()
        self._waiting: dict[Future[None], Wants] = {}
        self._wanted: Counter[str] = Counter()
        """How many callers wait for each name."""
        self._nested: WeakValueDictionary[object, NestedLimiter] | None = None

    @property
    def limit(self) -> int | None:
        """How many callers there may be in all; any number if None."""
        return self.limits.get(ANY)

    def part_of(self, wants: MutableMapping[str, int]) -> Wants:
        """Take out of what a caller wants what is limited here."""
        names = [name for name in wants if name in self.limits]
        return {name: wants.pop(name) for name in names}

    def nested(self, step: object, held: Wants) -> "NestedLimiter":
        """Return the limiter of the runs that are nested in a step.

        Args:
            step: Identifies the step.
            held: The slots of this limiter that it holds.
        """
        with self._lock:
            if self._nested is None:
                self._nested = WeakValueDictionary()
            found = self._nested.get(step)
            if found is None:
                found = self._nested[step] = NestedLimiter(self, held)
            return found

    def acquire_free(self, wants: Wants = ONE) -> bool:
        """Take slots if they are free and nobody waits for them; never wait."""
        with self._lock:
            is_wanted = any(self._wanted[name] for name in wants)
            return not is_wanted and self._admit(wants)

    def lend(self, wants: Wants) -> bool:
        """Take slots that are free, unless other processes have to be asked as well."""
        if self.of_machine is not None and self.of_machine.part_of(wants):
            return False
        return self.acquire_free(wants)

    def _admit(self, wants: Wants) -> bool:
        inside, limits = self._inside, self.limits
        if any(inside[name] + count > limits[name] for name, count in wants.items()):
            return False
        inside.update(wants)
        return True

    def _leave(self, wants: Wants) -> None:
        self._inside.subtract(wants)

    def _settle(self) -> None:
        """Give back what nobody here needs any more."""

    def acquire(self, wants: Wants = ONE) -> Future[None] | None:
        """Ask for slots.

        Args:
            wants: How many, by names that are limited here.

        Returns:
            None if the caller has them; else a future that is done once it has. Either
            way, call `release` afterwards, or `give_up` to stop waiting.

        Raises:
            EngineBusyError: If there are none, and callers do not wait here.
        """
        slot: Future[None] = Future()
        with self._lock:
            if self.acquire_free(wants):
                return None
            if self._when_busy == "wait":
                self._waiting[slot] = wants
                self._wanted.update(wants.keys())
                return slot
        raise EngineBusyError(self._what, self.limit or 0)

    def release(self, wants: Wants = ONE) -> None:
        """Give back slots; the callers that have waited longest get them."""
        with self._lock:
            self._leave(wants)
            granted = self._grant(wants)
            self._settle()
        for slot in granted:
            slot.set_result(None)

    def _grant(self, freed: Wants) -> list[Future[None]]:
        if not self._waiting:
            return []
        admitted = grant(
            self._waiting.items(), lambda _, wants: self._admit(wants), freed
        )
        for slot in admitted:
            self._forget(slot)
        return admitted

    def _forget(self, slot: Future[None]) -> None:
        self._wanted.subtract(self._waiting.pop(slot).keys())

    def give_up(self, slot: Future[None], wants: Wants = ONE) -> None:
        """Stop waiting; slots that were just granted are released.

        Args:
            slot: The future that `acquire` returned.
            wants: What was asked for.
        """
        granted: list[Future[None]] = []
        with self._lock:
            waits = slot in self._waiting
            if waits:
                self._forget(slot)
                granted = self._grant(wants)  # to whom it was in the way
        for it in granted:
            it.set_result(None)
        if not waits:
            self.release(wants)


class NestedLimiter(Limiter):
    """Shares the slots of one step among the tasks of the runs that are nested in it.

    Args:
        outer: Grants the slots of the step, and further ones while some are free.
        held: The slots of the step.
    """

    def __init__(self, outer: Limiter, held: Wants) -> None:
        super().__init__(held, "tasks", "wait")
        self._outer = outer
        self._more: Counter[str] = Counter()
        """The slots that were taken beside those of the step."""

    def _admit(self, wants: Wants) -> bool:
        inside = self._inside + Counter(wants)
        missing = inside - Counter(self.limits) - self._more
        if missing and not self._outer.lend(missing):
            return False
        self._more += missing
        self._inside = inside
        return True

    def _settle(self) -> None:
        surplus = self._more - (self._inside - Counter(self.limits))
        if surplus:
            self._more -= surplus
            self._outer.release(surplus)
