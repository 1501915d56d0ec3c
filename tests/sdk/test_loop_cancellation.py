"""A run whose event loop is closed ends: nothing continues it, and nothing waits."""

import asyncio
import logging
import os
import sys
import time

import pytest
from dependency_injector import providers

from containers import RunContainer
from runnable import (
    AsyncPythonTask,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    get_run_log,
)
from runnable.concurrency import Runs
from tests.support.used import used_by

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)


STARTED = []
"""Tasks that have begun."""


@pytest.fixture(autouse=True)
def _none_has_started():
    STARTED.clear()


async def wait_for_ever():
    STARTED.append("coroutine")
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)  # also on its way out


async def events():
    STARTED.append("generator")
    for number in range(100):
        yield {"type": "n", "n": number}
        await asyncio.sleep(0.01)


def wait_in_a_thread(seconds=20.0):
    STARTED.append("thread")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


async def start_another():
    await Pipeline(steps=[task(wait_for_ever, "inner")]).execute_async(run_id="inner")


def task(function, name="t", **more):
    kind = AsyncPythonTask if asyncio.iscoroutinefunction(function) else PythonTask
    return kind(name=name, function=function, **more)


def branches():
    two = {name: task(wait_for_ever).as_pipeline() for name in ("a", "b")}
    return Parallel(name="p", branches=two)


def items():
    branch = task(wait_for_ever).as_pipeline()
    return Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")


STEPS = {
    "coroutine": lambda: task(wait_for_ever),
    "generator": lambda: task(events),
    "thread": lambda: task(wait_in_a_thread),
    "timeout": lambda: task(wait_for_ever, timeout_seconds=30),
    "nested": lambda: task(start_another),
    "parallel": branches,
    "map": items,
}


def closed_under(make_coroutine):
    """Start something on a loop, and close the loop."""
    loop = asyncio.new_event_loop()
    try:
        left = loop.run_until_complete(make_coroutine())
    finally:
        loop.close()
    return left


async def begin(pipeline, container, tasks=1):
    running = asyncio.ensure_future(
        pipeline.execute_async(
            run_id="r1",
            parameters=used_by(pipeline, {"xs": [1, 2]}),
            container=container,
        )
    )
    while len(STARTED) < tasks:
        await asyncio.sleep(0.01)
    running._log_destroy_pending = False
    return running


@pytest.mark.parametrize("kind", STEPS)
def test_it_is_recorded_and_releases_everything(kind, caplog):
    class App(RunContainer):
        runs = providers.ThreadSafeSingleton(Runs, max_runs=1, max_steps=4)

    app, pipeline = App(), Pipeline(steps=[STEPS[kind](), task(print, "after")])
    stream, environment = sys.stdout, type(os.environ)
    with caplog.at_level(logging.CRITICAL, "asyncio"):
        tasks = 2 if kind in {"parallel", "map"} else 1
        left = closed_under(lambda: begin(pipeline, app, tasks))
    assert sys.stdout is stream
    assert type(os.environ) is environment
    run_log = get_run_log("r1")
    assert run_log.status == "CANCELLED"
    assert [it.status for it in run_log.steps.values()] == ["CANCELLED"]
    assert app.runs().active() == []
    if kind == "nested":
        assert get_run_log("inner").status == "CANCELLED"
    # Its slots are free again.
    quick = Pipeline(steps=[branches_of_four()])
    assert quick.execute(run_id="r2", container=app).status == "SUCCESS"
    del left


def branches_of_four():
    four = {f"b{n}": task(lambda: 1, returns=["x"]).as_pipeline() for n in range(4)}
    return Parallel(name="p", branches=four)


def test_it_can_be_resumed(caplog):
    attempts = []

    async def once():
        attempts.append(1)
        STARTED.append("once")
        if len(attempts) == 1:
            await asyncio.Event().wait()
        return 5

    pipeline = Pipeline(steps=[task(once, returns=["x"])])
    with caplog.at_level(logging.CRITICAL, "asyncio"):
        left = closed_under(lambda: begin(pipeline, None))
    resumed = pipeline.execute(resume="r1")
    assert (resumed.status, resumed.parameters["x"].value) == ("SUCCESS", 5)
    del left


@pytest.mark.parametrize("kept", [True, False])
def test_a_stream_that_is_not_read_to_its_end(kept, caplog):
    async def read_one():
        stream = Pipeline(steps=[task(events)]).execute_streaming(run_id="r1")
        assert await anext(stream) == {"type": "n", "n": 0}
        for it in asyncio.all_tasks():
            it._log_destroy_pending = False
        return stream if kept else None

    stream = sys.stdout
    with caplog.at_level(logging.CRITICAL, "asyncio"):
        left = closed_under(read_one)
    assert sys.stdout is stream
    assert get_run_log("r1").status == "CANCELLED"
    del left


def test_a_loop_that_goes_on_keeps_nothing_of_an_ended_run():
    async def run_many():
        loop = asyncio.get_running_loop()
        pipeline = Pipeline(steps=[task(lambda: 1, returns=["x"])])
        for _ in range(3):
            await pipeline.execute_async()
        await asyncio.sleep(0)
        return [it for it in loop._scheduled if not it.cancelled()]

    assert asyncio.run(run_many()) == []


def test_the_caller_of_close_keeps_its_own_run(caplog):
    """A loop that a task makes and closes does not change what is current there."""
    seen = []

    def close_a_loop():
        from runnable.context import get_run_context

        pipeline = Pipeline(steps=[task(wait_for_ever)])
        left = closed_under(lambda: begin(pipeline, None))
        seen.append(get_run_context().run_id)
        print("still captured")
        del left

    with caplog.at_level(logging.CRITICAL, "asyncio"):
        run_log = Pipeline(steps=[task(close_a_loop)]).execute(run_id="outer")
    assert (run_log.status, seen) == ("SUCCESS", ["outer"])
