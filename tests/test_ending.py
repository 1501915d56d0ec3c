"""A run that others end: it alone ends, wholly, and what it held is free again."""

import asyncio
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import PrivateAttr

from runnable import AsyncPythonTask, Pipeline, PythonTask, get_run_log
from runnable.context import ContextThreadPool, propagate
from runnable.datastore.memory import MemoryRunLogStore
from runnable.engine import CallInterrupted
from runnable.events import TaskEvent, listening
from runnable.exceptions import ExecutionCancelledError
from tests.support.gates import IN_MEMORY, Gate, container_with, pipeline_of, wait_until


def at_event(app, kind, times=1):
    """Make a subscriber that ends a run at an event of it."""

    def told(event):
        if type(event).__name__ == kind:
            for _ in range(times):
                app.runs().cancel("r1")

    return told


async def test_a_late_interruption_does_not_hit_the_caller():
    app = container_with()
    pipeline = PythonTask(name="s", function=lambda: 1, returns=["x"]).as_pipeline()
    with listening(at_event(app, "RunFinished")):
        run_log = await pipeline.execute_async(
            run_id="r1", services=IN_MEMORY, container=app
        )
    assert run_log.status == "SUCCESS"
    await asyncio.sleep(0.01)  # the caller goes on
    assert asyncio.current_task().cancelling() == 0


async def test_to_end_it_twice_is_to_end_it_once():
    app, begun, cleaned = container_with(), asyncio.Event(), []

    async def wait():
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            cleaned.append(True)

    pipeline = AsyncPythonTask(name="s", function=wait).as_pipeline()
    with (
        listening(at_event(app, "StepStarted", times=3)),
        pytest.raises(ExecutionCancelledError),
    ):
        await pipeline.execute_async(run_id="r1", services=IN_MEMORY, container=app)
    task = asyncio.create_task(
        pipeline.execute_async(run_id="r1", services=IN_MEMORY, container=app)
    )
    begun.clear()
    await begun.wait()
    app.runs().cancel("r1")
    await asyncio.sleep(0)
    app.runs().cancel("r1")
    with pytest.raises(ExecutionCancelledError):
        await task
    assert cleaned == [True, True]
    assert asyncio.current_task().cancelling() == 0
    with pytest.raises(TimeoutError):  # as ever
        async with asyncio.timeout(0.01):
            await asyncio.sleep(60)


async def test_a_caller_that_is_cancelled_as_well_is_cancelled():
    app, begun = container_with(), asyncio.Event()

    async def wait():
        begun.set()
        await asyncio.sleep(60)

    pipeline = AsyncPythonTask(name="s", function=wait).as_pipeline()
    task = asyncio.create_task(
        pipeline.execute_async(run_id="r1", services=IN_MEMORY, container=app)
    )
    await begun.wait()
    app.runs().cancel("r1")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_function_that_catches_everything_is_interrupted_again():
    app, trying, seen, after = container_with(), threading.Event(), [], []
    services = {**IN_MEMORY, "run_log_store": MemoryRunLogStore()}

    def stubborn():
        for _ in range(2):
            try:
                trying.set()
                while True:
                    time.sleep(0.001)
            except BaseException as error:
                seen.append(type(error).__name__)

    pipeline = Pipeline(
        steps=[
            PythonTask(name="s", function=stubborn),
            PythonTask(name="t", function=lambda: after.append(1)),
        ]
    )
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            pipeline.execute, run_id="r1", services=services, container=app
        )
        for _ in range(2):
            assert trying.wait(60)
            trying.clear()
            assert app.runs().cancel("r1")
        with pytest.raises(ExecutionCancelledError):
            future.result(60)
    assert (seen, after) == (["CallInterrupted"] * 2, [])
    assert get_run_log("r1", services=services).status == "CANCELLED"


def test_a_function_in_a_thread_is_waited_for_after_a_second_cancellation():
    app, inside, leaves, left = container_with(), *(threading.Event() for _ in "abc")

    def slow_to_leave():
        try:
            inside.set()
            while True:
                time.sleep(0.001)
        finally:
            leaves.wait(60)
            left.set()

    pipeline = PythonTask(name="s", function=slow_to_leave).as_pipeline()

    async def main():
        running = asyncio.create_task(
            pipeline.execute_async(run_id="r1", services=IN_MEMORY, container=app)
        )
        await asyncio.to_thread(inside.wait, 60)
        for _ in range(2):
            running.cancel()
            await asyncio.sleep(0.01)
        leaves.set()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert left.is_set()

    asyncio.run(main())


def nested_in(inner, handled, app, *, kind=PythonTask):
    def outer():
        return inner.execute(run_id="inner", services=IN_MEMORY, container=app).status

    async def outer_async():
        await inner.execute_async(run_id="inner", services=IN_MEMORY, container=app)

    mend = PythonTask(name="mend", function=lambda: handled.append(1)).as_pipeline()
    function = outer if kind is PythonTask else outer_async
    return kind(name="o", function=function, on_failure=mend).as_pipeline()


@pytest.mark.parametrize("by", ["shutdown", "outer", "both"])
@pytest.mark.parametrize("colour", ["sync", "in a thread of an async run", "async"])
def test_a_run_ends_with_its_nested_runs(by, colour):
    app, gate, handled = container_with(), Gate(), []
    services = {**IN_MEMORY, "run_log_store": MemoryRunLogStore()}
    kind = AsyncPythonTask if colour == "async" else PythonTask
    outer = nested_in(pipeline_of(gate), handled, app, kind=kind)
    given = {"run_id": "outer", "services": services, "container": app}

    def execute():
        if colour == "sync":
            return outer.execute(**given)
        return asyncio.run(outer.execute_async(**given))

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(execute)
        gate.wait_for(1)
        if by == "shutdown":
            assert app.runs().shutdown(cancel=True, timeout_seconds=60) == []
        else:
            for run_id in ("outer", "inner") if by == "both" else ("outer",):
                app.runs().cancel(run_id)
        with pytest.raises(ExecutionCancelledError, match="'outer'"):
            future.result(60)
    assert get_run_log("outer", services=services).status == "CANCELLED"
    assert (handled, gate.inside) == ([], 0)


def test_the_inner_run_can_be_cancelled_alone():
    app, gate, handled = container_with(), Gate(), []
    outer = nested_in(pipeline_of(gate), handled, app)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(outer.execute, services=IN_MEMORY, container=app)
        gate.wait_for(1)
        app.runs().cancel("inner")
        assert future.result(60).status == "SUCCESS"  # by its failure path
    assert handled == [1]


def test_a_run_is_nested_in_those_of_its_own_container_only():
    app, gate = container_with(max_runs=1, max_steps=1), Gate()

    def other():
        return pipeline_of(gate).execute(services=IN_MEMORY, container=app).status

    outer = PythonTask(name="o", function=other).as_pipeline()
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(outer.execute, services=IN_MEMORY) for _ in range(4)]
        wait_until(lambda: len(app.runs().active()) >= 4 and gate.entered)
        time.sleep(0.1)  # in which others could come in, if they might
        gate.opened.set()
        assert [it.result(60).status for it in futures] == ["SUCCESS"] * 4
    assert (gate.most, gate.entered) == (1, 4)


def test_a_run_whose_loop_is_closed_is_lost_and_blocks_no_shutdown():
    app, gate = container_with(), Gate()
    pipeline = AsyncPythonTask(name="s", function=asyncio.Event().wait).as_pipeline()
    loop = asyncio.new_event_loop()
    left = loop.create_task(
        pipeline.execute_async(run_id="lost", services=IN_MEMORY, container=app)
    )
    while "lost" not in app.runs().active():
        loop.run_until_complete(asyncio.sleep(0.01))
    left._log_destroy_pending = False
    loop.close()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            pipeline_of(gate).execute, services=IN_MEMORY, container=app
        )
        gate.wait_for(1)
        assert not app.runs().cancel("lost")
        assert app.runs().shutdown(cancel=True) == []
        with pytest.raises(ExecutionCancelledError):
            future.result(60)


def test_waiting_for_a_retry_holds_no_slot():
    app = container_with(max_steps=1)
    failed = threading.Event()

    def fail():
        failed.set()
        raise ValueError("not yet")

    slow = PythonTask(name="s", function=fail, retries=1, retry_delay=60)
    quick = PythonTask(name="q", function=lambda: 1, returns=["x"]).as_pipeline()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            slow.as_pipeline().execute,
            run_id="slow",
            services=IN_MEMORY,
            container=app,
        )
        assert failed.wait(60)
        run_log = quick.execute(services=IN_MEMORY, container=app)
        assert run_log.status == "SUCCESS"
        app.runs().cancel("slow")
        with pytest.raises(ExecutionCancelledError):
            future.result(60)


@pytest.fixture
def hasty_threads():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def unraisable(monkeypatch):
    """What was ignored; not interruptions.

    Python ignores an interruption that hits a finalizer, and the engine repeats it;
    pytest would take it for a failure, or fail itself when it is hit.
    """
    found = []

    def note(ignored):
        if not issubclass(ignored.exc_type, CallInterrupted):
            found.append(ignored.exc_value)

    monkeypatch.setattr(sys, "unraisablehook", note)
    return found


def test_no_place_is_lost(hasty_threads, unraisable):
    """Threads take turns all the time, so a run is ended at any place of the engine."""
    app, chance = container_with(max_runs=1, max_steps=1), random.Random(7)
    pipeline = Pipeline(
        steps=[PythonTask(name=name, function=lambda: None) for name in ("s", "t")]
    )
    over, ends = threading.Event(), []

    def execute():
        while not over.is_set():
            try:
                run_log = pipeline.execute(services=IN_MEMORY, container=app)
                ends.append(run_log.status)
            except ExecutionCancelledError:
                ends.append("CANCELLED")

    with ThreadPoolExecutor(2) as pool:
        futures = [pool.submit(execute) for _ in range(2)]
        while ends.count("CANCELLED") < 400 and not any(it.done() for it in futures):
            time.sleep(chance.random() * 0.002)
            for run_id in app.runs().active():
                app.runs().cancel(run_id)
        over.set()
        assert [it.result(60) for it in futures] == [None, None]
    assert pipeline.execute(services=IN_MEMORY, container=app).status == "SUCCESS"
    turns = app.runs().run_limit
    assert turns.acquire() is None  # there is room for one, and no more
    assert turns.acquire() is not None
    assert unraisable == []


def in_a_pool(inner, colour):
    """A pipeline whose step runs another one in a pool, and waits for it."""

    def execute():
        if colour == "sync":
            return inner.execute(run_id="inner", services=IN_MEMORY)
        running = inner.execute_async(run_id="inner", services=IN_MEMORY)
        return asyncio.run(running)

    def outer():
        with ContextThreadPool(2) as pool:
            pool.submit(execute).result()

    return PythonTask(name="o", function=outer).as_pipeline()


@pytest.mark.parametrize("by", ["cancel", "shutdown"])
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_run_that_is_nested_in_another_thread_ends_as_well(by, colour):
    app, gate = container_with(), Gate()
    with ThreadPoolExecutor(1) as pool:
        outer = in_a_pool(pipeline_of(gate), colour)
        future = pool.submit(
            outer.execute, run_id="outer", services=IN_MEMORY, container=app
        )
        gate.wait_for(1)
        if by == "cancel":
            assert app.runs().cancel("outer")
        else:
            assert app.runs().shutdown(cancel=True, timeout_seconds=60) == []
        with pytest.raises(ExecutionCancelledError, match="'outer'"):
            future.result(60)
    wait_until(lambda: app.runs().active() == [])
    assert gate.inside == 0


class SlowToClose(MemoryRunLogStore):
    """Says when it is being closed, and when it is."""

    _closing: object = PrivateAttr(default_factory=threading.Event)
    _goes_on: object = PrivateAttr(default_factory=threading.Event)
    _closed: object = PrivateAttr(default_factory=threading.Event)

    def close(self):
        self._closing.set()
        while not self._goes_on.is_set():
            time.sleep(0.001)
        self._closed.set()


def test_the_end_of_a_nested_run_is_not_interrupted(monkeypatch):
    app, store = container_with(), SlowToClose()
    monkeypatch.setattr(
        "runnable.sdk.start.close_all", lambda made: store.close(), raising=True
    )
    inner = PythonTask(name="s", function=lambda: 1).as_pipeline()

    def outer():
        inner.execute(services=IN_MEMORY, container=app)

    task = PythonTask(name="o", function=outer).as_pipeline()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            task.execute, run_id="outer", services=IN_MEMORY, container=app
        )
        assert store._closing.wait(60)
        assert app.runs().cancel("outer")
        store._goes_on.set()
        with pytest.raises(ExecutionCancelledError):
            future.result(60)
    assert store._closed.is_set()


def test_a_second_cancellation_insists_within_nested_runs():
    app, gate = container_with(), threading.Event()
    caught = []

    def stubborn():
        for _ in range(2):
            gate.set()
            try:
                while True:
                    time.sleep(0.001)
            except BaseException as error:
                caught.append(type(error).__name__)

    inner = PythonTask(name="s", function=stubborn).as_pipeline()
    outer = nested_in(inner, [], app)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(
            outer.execute, run_id="outer", services=IN_MEMORY, container=app
        )
        for count in (1, 2):
            assert gate.wait(60)
            gate.clear()
            app.runs().cancel("outer")
            wait_until(lambda count=count: len(caught) == count)
        with pytest.raises(ExecutionCancelledError):
            future.result(60)
    assert caught == ["CallInterrupted"] * 2


def test_a_yielded_item_is_reported_whole():
    app, telling, goes_on, told = (
        container_with(),
        *(threading.Event() for _ in "ab"),
        [],
    )

    def words():
        for number in range(1000):
            yield {"type": "word", "number": number}

    def slow(event):
        if isinstance(event, TaskEvent):
            telling.set()
            while not goes_on.is_set():
                time.sleep(0.001)
            told.append(event.event["number"])

    pipeline = PythonTask(name="s", function=words).as_pipeline()
    with ThreadPoolExecutor(1) as pool, listening(slow):
        future = pool.submit(
            propagate(pipeline.execute), run_id="r1", services=IN_MEMORY, container=app
        )
        assert telling.wait(60)
        assert app.runs().cancel("r1")
        goes_on.set()
        with pytest.raises(ExecutionCancelledError):
            future.result(60)
    assert told == [0]
