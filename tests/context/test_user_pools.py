"""The run of the caller, in the thread pools that users have."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import anyio.to_thread
import joblib
import pytest

from runnable import AsyncPythonTask, Provide, PythonTask, inject
from runnable.context import ContextThreadPool, propagate
from runnable.exceptions import ExecutionFailedError

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


@inject
def whose(number: int, *, run_id: str = Provide["run_id"]) -> str:
    return f"{run_id}-{number}"


def with_a_pool_of_ours():
    with ContextThreadPool(4) as pool:
        return list(pool.map(whose, range(8)))


def with_concurrent_futures():
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(propagate(whose), range(8)))


def with_threads():
    found = []

    def work(number):
        found.append(whose(number))

    threads = [
        threading.Thread(target=propagate(work), args=(number,)) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def with_joblib():
    calls = (joblib.delayed(propagate(whose))(number) for number in range(8))
    return joblib.Parallel(n_jobs=4, backend="threading")(calls)


async def with_to_thread():
    calls = [asyncio.to_thread(whose, number) for number in range(8)]
    return await asyncio.gather(*calls)


async def with_anyio():
    return [await anyio.to_thread.run_sync(whose, number) for number in range(8)]


@pytest.mark.parametrize(
    "function",
    [
        with_a_pool_of_ours,
        with_concurrent_futures,
        with_threads,
        with_joblib,
        with_to_thread,
        with_anyio,
    ],
)
def test_the_run_is_there(function):
    kind = AsyncPythonTask if asyncio.iscoroutinefunction(function) else PythonTask
    pipeline = kind(name="s", function=function, returns=["found"]).as_pipeline()

    def run(run_id):
        run_log = pipeline.execute(run_id=run_id, services=IN_MEMORY)
        return run_log.parameters["found"].value

    with ThreadPoolExecutor(4) as pool:
        ids = [f"r{number}" for number in range(8)]
        for run_id, found in zip(ids, pool.map(run, ids), strict=True):
            assert found == [f"{run_id}-{number}" for number in range(8)]


def without():
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(whose, 1).result()


def test_the_error_of_a_plain_pool_names_the_cure():
    pipeline = PythonTask(name="s", function=without).as_pipeline()
    with pytest.raises(ExecutionFailedError) as failed:
        pipeline.execute(services=IN_MEMORY)
    said = str(failed.value.__cause__)
    assert "runnable.context.propagate" in said
    assert "ContextThreadPool" in said
