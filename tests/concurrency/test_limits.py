"""Limits: how many slots are given away, and to whom."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable.concurrency import ANY, Limiter
from runnable.concurrency.errors import EngineBusyError

LIMITS = {ANY: 4, "gpu": 1, "api": 3}
WANTS = st.fixed_dictionaries(
    {ANY: st.just(1)}, optional={"gpu": st.just(1), "api": st.integers(1, 3)}
)
"""What a task wants."""


def named(wants):
    """Return the names of the limits by name."""
    return set(wants) - {ANY}


class Callers:
    """Callers of a limiter, and what must be true of them."""

    def __init__(self, limiter):
        self.limiter = limiter
        self.waiting = []
        self.inside = []

    def acquire(self, wants):
        """Ask for slots."""
        before = [it for _, it in self.waiting]
        slot = self.limiter.acquire(wants)
        if slot is None:
            self.inside.append(wants)
            for other in before:
                assert named(other).isdisjoint(wants), "somebody was overtaken"
        else:
            self.waiting.append((slot, wants))
        self.check()

    def release(self, number):
        """Give back the slots of one."""
        self.limiter.release(self.inside.pop(number % len(self.inside)))
        self.check()

    def give_up(self, number):
        """Have one that waits go away."""
        slot, wants = self.waiting.pop(number % len(self.waiting))
        self.limiter.give_up(slot, wants)
        assert not slot.done()
        self.check()

    def check(self):
        """Take note of who was admitted; fail if that was wrong."""
        left = []
        for slot, wants in self.waiting:
            if slot.done():
                self.inside.append(wants)
                for _, other in left:
                    assert named(other).isdisjoint(wants), "somebody was overtaken"
            else:
                left.append((slot, wants))
        self.waiting = left
        taken = sum(map(Counter, self.inside), Counter())
        assert all(taken[name] <= limit for name, limit in LIMITS.items())
        blocked = set()
        for _, wants in self.waiting:
            lacks = {name for name in wants if taken[name] + wants[name] > LIMITS[name]}
            assert lacks or blocked & set(wants), "somebody waits for nothing"
            if lacks == {ANY} and not blocked & named(wants):
                blocked.add(ANY)
            else:
                blocked |= named(wants)


@given(st.lists(st.tuples(st.sampled_from("aaarrg"), WANTS, st.integers(0, 99))))
def test_first_come_first_served_by_name(steps):
    callers = Callers(Limiter(LIMITS, "tasks", "wait"))
    for kind, wants, number in steps:
        if kind == "a":
            callers.acquire(wants)
        elif kind == "r" and callers.inside:
            callers.release(number)
        elif kind == "g" and callers.waiting:
            callers.give_up(number)
    while callers.inside:
        callers.release(0)
    assert not callers.waiting


@given(st.lists(WANTS, max_size=12), st.randoms(use_true_random=False))
def test_nested_callers_give_everything_back(asked, chance: random.Random):
    limiter = Limiter(LIMITS, "tasks", "wait")
    held = {ANY: 1, "api": 3, "gpu": 1}
    assert limiter.acquire(held) is None
    nested = limiter.nested("step", held)
    inside, waiting = [], []
    for wants in asked:
        slot = nested.acquire(wants)
        waiting += [(slot, wants)] if slot is not None else []
        inside += [wants] if slot is None else []
        while inside and chance.random() < 0.4:
            nested.release(inside.pop(chance.randrange(len(inside))))
            inside += [it for slot, it in waiting if slot.done()]
            waiting = [it for it in waiting if not it[0].done()]
    while inside:
        nested.release(inside.pop())
        inside += [it for slot, it in waiting if slot.done()]
        waiting = [it for it in waiting if not it[0].done()]
    assert not waiting
    limiter.release(held)
    assert limiter.acquire(LIMITS) is None


def test_a_busy_limiter_may_refuse():
    limiter = Limiter({ANY: 1}, "runs", "refuse")
    assert limiter.acquire() is None
    with pytest.raises(EngineBusyError, match="1 runs are active"):
        limiter.acquire()
