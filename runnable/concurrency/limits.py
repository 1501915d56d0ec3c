"""Limits: how many runs or tasks are active at once, in all and by name.

Theory of operation. A caller asks a `Limiter` for slots, and gets all of them at once,
or gets a future to wait for, or is refused. Who waits is admitted first come, first
served, by name: see `queueing`. Since all slots of a limiter are granted at once, two
callers never wait for each other.

Tasks of runs that are nested in a step share the slots of that step, so no run waits
for itself; more of them take slots that are free.
"""

import itertools
import threading
from collections import Counter
from collections.abc import MutableMapping
from concurrent.futures import Future
from operator import itemgetter
from typing import Literal, get_args
from weakref import WeakValueDictionary

from runnable.concurrency.errors import EngineBusyError
from runnable.concurrency.machine_limits import MachineLimiter
from runnable.concurrency.queueing import ANY, Wants, next_admitted

WhenBusy = Literal["wait", "refuse"]
ONE: Wants = {ANY: 1}
_Kind = tuple[tuple[str, int], ...]
"""Slots by name, sorted, as a key."""
_Caller = tuple[Future[None] | None, Wants]
"""A caller and its wants; None in place of one that does not wait yet."""


class Limiter:
    """Admits a limited number of callers at once.

    Args:
        limits: How many slots there are, by name.
        what: What is limited, for errors.
        when_busy: Whether further callers wait, or are refused.
        of_machine: Where other processes share the named ones: a caller that has slots
            here asks there as well.
        is_all: Whether nested tasks can have nothing else: there is no other limiter
            that this process could ask.

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
        *,
        is_all: bool = False,
    ) -> None:
        for limit in limits.values():
            if limit < 1:
                raise ValueError(
                    f"at most {limit} {what} at once: it must be 1 or more"
                )
        if when_busy not in get_args(WhenBusy):
            raise ValueError(f"when_busy is {when_busy!r}: it is 'wait' or 'refuse'")
        self.limits = limits
        self.of_machine = of_machine
        self.is_all = is_all
        self._what = what
        self._when_busy = when_busy
        # Reentrant: a finalizer run by the garbage collector may call release().
        self._lock = threading.RLock()
        self._inside: Counter[str] = Counter()
        self._waiting: dict[_Kind, dict[Future[None], int]] = {}
        """Who waits and when they came, by what they want: who is not the first of
        those who want the same is not the next one either."""
        self._numbers = itertools.count()
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
            mine = (None, wants)
            found = self._next(*self._first_of_each(), mine)
            return found is mine and self._admit(wants)

    def _next(self, *waiting: _Caller) -> _Caller | None:
        callers = [(caller, caller[1]) for caller in waiting]
        return next_admitted(callers, lambda _, wants: self._fits(wants))

    def lend(self, wants: Wants) -> bool:
        """Take slots that are free, unless other processes have to be asked as well."""
        return self._lends(wants) and self.acquire_free(wants)

    def could_lend(self, wants: Wants) -> bool:
        """Return whether there are so many free slots, at this moment."""
        with self._lock:
            return self._lends(wants) and self._fits(wants)

    def _lends(self, wants: Wants) -> bool:
        return self.of_machine is None or wants.keys() <= {ANY}

    def _fits(self, wants: Wants) -> bool:
        inside, limits = self._inside, self.limits
        return all(inside[name] + it <= limits[name] for name, it in wants.items())

    def _admit(self, wants: Wants) -> bool:
        """Take slots that fit."""
        self._inside.update(wants)
        return True

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
                same = self._waiting.setdefault(_kind(wants), {})
                same[slot] = next(self._numbers)
                return slot
        raise EngineBusyError(self._what, self.limit or 0)

    def release(self, wants: Wants = ONE) -> None:
        """Give back slots; the callers that have waited longest get them."""
        with self._lock:
            self._inside.subtract(wants)
            granted = self._grant()
            self._settle()
        for slot in granted:
            slot.set_result(None)

    def _first_of_each(self) -> list[_Caller]:
        """Return who came first of those who want the same, in their order."""
        if not self._waiting:
            return []
        first = [
            (number, slot, dict(kind))
            for kind, same in self._waiting.items()
            for slot, number in itertools.islice(same.items(), 1)
        ]
        first.sort(key=itemgetter(0))
        return [(slot, wants) for _, slot, wants in first]

    def _grant(self) -> list[Future[None]]:
        granted: list[Future[None]] = []
        while self._waiting:
            found = self._next(*self._first_of_each())
            if found is None or not self._admit(found[1]):
                break
            slot, wants = found
            assert slot is not None  # noqa: S101 - all of these wait
            self._forget(slot, wants)
            granted.append(slot)
        return granted

    def _forget(self, slot: Future[None], wants: Wants) -> bool:
        """Let somebody wait no more; return whether they did."""
        kind = _kind(wants)
        same = self._waiting.get(kind, {})
        waited = same.pop(slot, None) is not None
        if waited and not same:
            del self._waiting[kind]
        return waited

    def give_up(self, slot: Future[None], wants: Wants = ONE) -> None:
        """Stop waiting; slots that were just granted are released.

        Args:
            slot: The future that `acquire` returned.
            wants: What was asked for.
        """
        with self._lock:
            waited = self._forget(slot, wants)
            granted = self._grant() if waited else []  # those whom it was in the way of
        for it in granted:
            it.set_result(None)
        if not waited:
            self.release(wants)


def _kind(wants: Wants) -> _Kind:
    return tuple(sorted(wants.items()))


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

    def _missing(self, wants: Wants) -> Counter[str]:
        """Return the slots that would have to be taken beside those that are here."""
        return self._inside + Counter(wants) - Counter(self.limits) - self._more

    def _fits(self, wants: Wants) -> bool:
        missing = self._missing(wants)
        return not missing or self._outer.could_lend(missing)

    def _admit(self, wants: Wants) -> bool:
        missing = self._missing(wants)
        if missing and not self._outer.lend(missing):
            return False
        self._more += missing
        return super()._admit(wants)

    def _settle(self) -> None:
        surplus = self._more - (self._inside - Counter(self.limits))
        if surplus:
            self._more -= surplus
            self._outer.release(surplus)
