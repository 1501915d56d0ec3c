"""How functions are called, from synchronous and asynchronous runs."""

import asyncio
import threading

import pytest

from runnable import Pipeline, PythonTask
from runnable.engine import run_by_hand


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


async def test_a_blocking_function_does_not_stop_the_loop(in_memory):
    """The function waits for something that only the loop can do."""
    released = threading.Event()

    async def release():
        await asyncio.sleep(0)
        released.set()

    pipeline = Pipeline(
        steps=[PythonTask(name="s", function=lambda: released.wait(30), returns=["r"])]
    )
    run_log, _ = await asyncio.gather(
        pipeline.execute_async(services=in_memory), release()
    )
    assert run_log.parameters["r"].value is True


def test_a_synchronous_function_runs_in_the_calling_thread(in_memory):
    pipeline = Pipeline(
        steps=[
            PythonTask(name="s", function=lambda: threading.get_ident(), returns=["r"])
        ]
    )
    run_log = pipeline.execute(services=in_memory)
    assert run_log.parameters["r"].value == threading.get_ident()
