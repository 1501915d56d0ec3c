"""Functions of synchronous runs: called in the thread that runs the step."""

import asyncio
import threading

import pytest

from runnable import ExecutionFailedError, PythonTask
from runnable.engine import run_by_hand


def executed(function, in_memory):
    task = PythonTask(name="s", function=function, returns=["r"])
    run_log = task.as_pipeline().execute(services=in_memory)
    return run_log.parameters["r"].value


def test_a_coroutine_that_suspends_is_refused():
    closed = []

    async def suspends():
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    with pytest.raises(RuntimeError, match="use execute_async"):
        run_by_hand(suspends())
    assert closed == [True]


def test_a_synchronous_function_runs_in_the_calling_thread(in_memory):
    def thread():
        return threading.get_ident()

    assert executed(thread, in_memory) == threading.get_ident()


async def test_a_coroutine_function_runs_although_a_loop_is_running(in_memory):
    async def answer():
        await asyncio.sleep(0)
        return 42

    assert executed(answer, in_memory) == 42


def test_an_awaitable_that_a_function_returns_is_awaited(in_memory):
    async def later():
        return 42

    assert executed(lambda: later(), in_memory) == 42


def test_a_cancellation_inside_the_function_fails_its_step(in_memory):
    async def awaits_something_cancelled():
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(ExecutionFailedError, match="something that it awaited"):
        executed(awaits_something_cancelled, in_memory)
