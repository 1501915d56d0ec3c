"""Functions of asynchronous runs: awaited, or called in threads beside the loop."""

import asyncio
import threading

import pytest

from runnable import AsyncPipeline, ExecutionFailedError, Map, Pipeline, PythonTask
from runnable.concurrency import Threads
from runnable.engine import LoopRuntime
from runnable.tasks import Call


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


async def test_a_coroutine_runs_on_the_loop_of_the_caller(in_memory):
    async def loop_id():
        return id(asyncio.get_running_loop())

    task = PythonTask(name="s", function=loop_id, returns=["r"])
    run_log = await task.as_async_pipeline().execute_async(services=in_memory)
    assert run_log.parameters["r"].value == id(asyncio.get_running_loop())


async def test_a_cancellation_inside_the_function_fails_its_step(in_memory):
    """The run itself was not cancelled."""

    async def awaits_something_cancelled():
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    task = PythonTask(name="s", function=awaits_something_cancelled)
    with pytest.raises(ExecutionFailedError, match="something that it awaited"):
        await task.as_async_pipeline().execute_async(services=in_memory)


async def test_at_most_so_many_branches_are_active(in_memory):
    active, most = 0, 0

    async def work(item):
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0)
        active -= 1

    branch = AsyncPipeline(steps=[PythonTask(name="w", function=work)])
    mapped = Map(name="m", branch=branch, iterate_on="xs", iterate_as="item")
    services = {
        **in_memory,
        "pipeline_executor": {
            "type": "local",
            "parallelism": "thread",
            "max_workers": 3,
        },
    }
    await Pipeline(steps=[mapped]).execute_async(
        parameters={"xs": list(range(20))}, services=services
    )
    assert most == 3


async def test_an_awaitable_that_a_function_returns_is_awaited():
    async def later():
        return 42

    runtime = LoopRuntime(Threads(), Threads())
    assert await runtime.invoke(Call(lambda: later())) == 42
