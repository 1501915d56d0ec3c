"""How many runs a container has at once, and how others end them."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from runnable import AsyncPythonTask, Map, Pipeline, PythonTask, get_run_log
from runnable.concurrency import ANY, Limiter
from runnable.datastore.memory import MemoryRunLogStore
from runnable.exceptions import EngineBusyError, ExecutionCancelledError
from tests.support.gates import IN_MEMORY, Gate, container_with, pipeline_of, wait_until


def test_so_many_runs_go_on_at_once():
    gate, app = Gate(), container_with(max_runs=2)
    pipeline = pipeline_of(gate)
    with ThreadPoolExecutor(8) as pool:
        futures = [
            pool.submit(pipeline.execute, services=IN_MEMORY, container=app)
            for _ in range(8)
        ]
        gate.wait_for(2)
        wait_until(lambda: len(app.runs().active()) >= 8)
        assert gate.inside == 2
        gate.opened.set()
        assert [it.result().status for it in futures] == ["SUCCESS"] * 8
    assert gate.most == 2
    assert app.runs().active() == []


async def test_asynchronous_runs_wait_without_holding_up_the_loop():
    app, going, most = container_with(max_runs=2), 0, 0

    async def work():
        nonlocal going, most
        going += 1
        most = max(most, going)
        await asyncio.sleep(0.01)
        going -= 1

    pipeline = AsyncPythonTask(name="s", function=work).as_pipeline()
    runs = [pipeline.execute_async(services=IN_MEMORY, container=app) for _ in range(9)]
    logs = await asyncio.gather(*runs)
    assert [it.status for it in logs] == ["SUCCESS"] * 9
    assert most == 2


def test_a_caller_that_does_not_wait_is_refused():
    gate = Gate()
    app = container_with(max_runs=1, when_busy="refuse")
    store = MemoryRunLogStore()
    services = {**IN_MEMORY, "run_log_store": store}
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(
            pipeline_of(gate).execute, run_id="r1", services=services, container=app
        )
        gate.wait_for(1)
        with pytest.raises(EngineBusyError, match="1 runs are active"):
            pipeline_of(gate).execute(run_id="r2", services=services, container=app)
        gate.opened.set()
        first.result()
    assert store.list_run_ids() == ["r1"]
    pipeline_of(gate).execute(run_id="r3", services=services, container=app)


def test_so_many_steps_of_all_runs_go_on_at_once():
    gate, app = Gate(), container_with(max_steps=3)

    def work(x):
        gate.enter()
        time.sleep(0.005)
        gate.leave()

    branch = PythonTask(name="s", function=work).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x", max_workers=8)
    with ThreadPoolExecutor(3) as pool:
        futures = [
            pool.submit(
                step.as_pipeline().execute,
                parameters={"xs": list(range(20))},
                services=IN_MEMORY,
                container=app,
            )
            for _ in range(3)
        ]
        assert [it.result().status for it in futures] == ["SUCCESS"] * 3
    assert 1 < gate.most <= 3


def test_a_nested_run_shares_the_slot_of_its_step():
    app = container_with(max_runs=1, max_steps=1)
    inner = PythonTask(name="i", function=lambda: 1, returns=["x"]).as_pipeline()

    def outer():
        return inner.execute(services=IN_MEMORY).parameters["x"].value

    run_log = (
        PythonTask(name="o", function=outer, returns=["y"])
        .as_pipeline()
        .execute(services=IN_MEMORY, container=app)
    )
    assert run_log.parameters["y"].value == 1


def test_a_run_is_cancelled_from_another_thread():
    gate, app = Gate(), container_with()
    store = MemoryRunLogStore()
    services = {**IN_MEMORY, "run_log_store": store}
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            pipeline_of(gate).execute, run_id="r1", services=services, container=app
        )
        gate.wait_for(1)
        assert app.runs().cancel("r1")
        with pytest.raises(ExecutionCancelledError, match="'r1' was cancelled"):
            future.result(60)
    assert get_run_log("r1", services=services).status == "CANCELLED"
    assert not app.runs().cancel("r1")
    assert gate.inside == 0


async def test_an_asynchronous_run_is_cancelled_from_another_task():
    begun, app = asyncio.Event(), container_with()
    store = MemoryRunLogStore()
    services = {**IN_MEMORY, "run_log_store": store}

    async def wait():
        begun.set()
        await asyncio.sleep(60)

    pipeline = AsyncPythonTask(name="s", function=wait).as_pipeline()
    task = asyncio.create_task(
        pipeline.execute_async(run_id="r1", services=services, container=app)
    )
    await begun.wait()
    assert await asyncio.to_thread(app.runs().cancel, "r1")
    with pytest.raises(ExecutionCancelledError):
        await task
    assert get_run_log("r1", services=services).status == "CANCELLED"
    task = asyncio.create_task(pipeline.execute_async(services=services, container=app))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):  # as ever, if it is the caller's own
        await task


def test_a_waiting_caller_can_be_cancelled():
    gate, app = Gate(), container_with(max_runs=1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(
            pipeline_of(gate).execute, services=IN_MEMORY, container=app
        )
        gate.wait_for(1)
        second = pool.submit(
            pipeline_of(gate).execute,
            run_id="r2",
            services=IN_MEMORY,
            container=app,
        )
        wait_until(lambda: "r2" in app.runs().active())
        app.runs().cancel("r2")
        with pytest.raises(ExecutionCancelledError):
            second.result(60)
        gate.opened.set()
        assert first.result().status == "SUCCESS"
    assert pipeline_of(gate).execute(services=IN_MEMORY, container=app)


@pytest.mark.parametrize("cancel", [False, True])
def test_shutdown(cancel):
    gate, app = Gate(), container_with()
    with ThreadPoolExecutor(3) as pool:
        futures = [
            pool.submit(pipeline_of(gate).execute, services=IN_MEMORY, container=app)
            for _ in range(3)
        ]
        gate.wait_for(3)
        if not cancel:
            assert len(app.runs().shutdown(timeout_seconds=0.05)) == 3
            gate.opened.set()
        assert app.runs().shutdown(cancel=cancel, timeout_seconds=60) == []
        for future in futures:
            if cancel:
                with pytest.raises(ExecutionCancelledError):
                    future.result()
            else:
                assert future.result().status == "SUCCESS"
    end = time.monotonic() + 30
    while [it for it in threading.enumerate() if "runnable" in it.name]:
        assert time.monotonic() < end, threading.enumerate()
        time.sleep(0.05)
    with pytest.raises(EngineBusyError, match="shutting down"):
        Pipeline(steps=[PythonTask(name="s", function=gate)]).execute(
            services=IN_MEMORY, container=app
        )


def test_first_come_first_served():
    turns = Limiter({ANY: 1}, "runs", "wait")
    turns.acquire()
    places = [turns.acquire() for _ in range(3)]
    turns.give_up(places[1])
    turns.release()
    assert [it.done() and not it.cancelled() for it in places] == [True, False, False]
    turns.release()
    assert places[2].done()
    turns.release()
    assert turns.acquire() is None
    with pytest.raises(ValueError, match="must be 1 or more"):
        Limiter({ANY: 0}, "runs", "wait")
