"""Both runtimes keep the promises of their port."""

import asyncio
import time
from concurrent.futures import Future

import pytest

from runnable.concurrency import Threads
from runnable.engine import InlineRuntime, LoopRuntime, run_by_hand
from runnable.engine.errors import StepTimeoutError
from runnable.tasks import Call


@pytest.fixture(params=["sync", "asyncio"])
def play(request):
    """Run a coroutine function that is given a runtime."""

    def play(scenario):
        if request.param == "sync":
            return run_by_hand(scenario(InlineRuntime()))
        return asyncio.run(scenario(LoopRuntime(Threads(), Threads())))

    return play


async def bodies(count, body):
    for number in range(count):
        yield lambda number=number: body(number)


def test_results_and_errors_of_calls_arrive(play):
    async def scenario(runtime):
        assert await runtime.invoke(Call(divmod, (7, 2))) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await runtime.invoke(Call(divmod, (7, 0)))

    play(scenario)


def test_a_call_that_takes_too_long_is_interrupted(play):
    ended = []

    def slow():
        try:
            while True:
                time.sleep(0.01)
        finally:
            ended.append(True)

    async def scenario(runtime):
        with pytest.raises(StepTimeoutError):
            await runtime.invoke(Call(slow), 0.05)

    play(scenario)
    assert ended == [True]


@pytest.mark.parametrize("limit", [1, 3])
def test_every_branch_is_run_once(play, limit):
    done = []

    async def body(number):
        done.append(number)

    async def scenario(runtime):
        await runtime.gather(bodies(10, body), limit)

    play(scenario)
    assert sorted(done) == list(range(10))


@pytest.mark.parametrize("limit", [1, 3])
def test_the_error_of_a_branch_is_raised(play, limit):
    async def body(number):
        if number == 2:
            raise LookupError(number)

    async def scenario(runtime):
        with pytest.raises(LookupError):
            await runtime.gather(bodies(10, body), limit)

    play(scenario)


def test_waiting_ends_when_the_future_is_done(play):
    future = Future()
    future.set_result(None)

    async def scenario(runtime):
        await runtime.wait_for(future)
        return await runtime.off_loop(lambda: 42)

    assert play(scenario) == 42
