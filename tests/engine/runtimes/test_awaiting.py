"""Results of calls that need more than a return: generators and awaitables."""

import pytest

from runnable.engine import run_by_hand
from runnable.engine.runtimes.awaiting import (
    gives_awaitable,
    make,
    must_wait,
    wait_for,
)
from runnable.tasks import Call


class Collected(list):
    """Collects the items of a generator."""

    def begin(self):
        self.append("begin")

    def take(self, item):
        self.append(item)


def numbers():
    yield 1
    yield 2
    return 3


async def numbers_later():
    yield 1
    yield 2


async def answer():
    return 42


def test_a_generator_is_run_to_its_end_and_its_return_value_is_the_result():
    items = Collected()
    assert make(Call(numbers, items=items)) == 3
    assert items == ["begin", 1, 2]


def test_a_generator_runs_also_if_its_items_are_not_wanted():
    assert make(Call(numbers)) == 3


def test_stop_iteration_of_a_function_becomes_a_runtime_error():
    """In a coroutine, StopIteration would be its return."""
    with pytest.raises(RuntimeError, match="raised StopIteration") as caught:
        make(Call(lambda: next(iter([]))))
    assert isinstance(caught.value.__cause__, StopIteration)


def test_an_asynchronous_generator_is_exhausted_and_returns_none():
    items = Collected()
    call = Call(numbers_later, items=items)
    assert run_by_hand(wait_for(make(call), call)) is None
    assert items == ["begin", 1, 2]


@pytest.mark.parametrize("function", [answer, numbers_later])
def test_calls_that_give_something_to_wait_for_are_known_before_and_after(function):
    call = Call(function)
    assert gives_awaitable(call)
    result = make(call)
    assert must_wait(result)
    run_by_hand(wait_for(result, call))


@pytest.mark.parametrize("value", [None, 42, "text", [1]])
def test_plain_values_are_not_waited_for(value):
    assert not must_wait(value)
    assert run_by_hand(wait_for(value, Call(answer))) is value
