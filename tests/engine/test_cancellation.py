"""Whatever ends a run ends its steps, is recorded, and leaves nothing behind."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from containers import container
from runnable import (
    AsyncPythonTask,
    ExecutionFailedError,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    get_run_log,
)
from runnable.datastore import RunFinished
from runnable.datastore.memory import MemoryRunLogStore

SCRIPT = """
import os, sys, time
from runnable import Map, Pipeline, PythonTask

def step(x):
    try:
        open(f"begun-{x}", "w").close()
        while True:
            time.sleep(0.01)
    finally:
        open(f"ended-{x}", "w").close()

branch = PythonTask(name="s", function=step).as_pipeline()
pipeline = Pipeline(
    steps=[Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")]
)
config = {"parallelism": sys.argv[-1], "max_workers": 3}
executor = {"type": "local", "config": config}

if __name__ == "__main__":
    pipeline.execute(
        run_id="r1",
        parameters={"xs": [1, 2, 3]},
        services={"pipeline_executor": executor},
    )
"""


def until(condition):
    """Wait for something that other threads or processes do."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen within a minute")


@pytest.mark.parametrize("parallelism", ["none", "thread", "process"])
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)]
)
def test_a_signal_ends_a_run_of_the_command_line(parallelism, number, code):
    Path("script.py").write_text(SCRIPT.replace("sys.argv[-1]", repr(parallelism)))
    process = subprocess.Popen(
        [sys.executable, "-m", "runnable.cli", "execute", "script.py", "--no-progress"],
        stderr=subprocess.PIPE,
        text=True,
    )
    expected = {1} if parallelism == "none" else {1, 2, 3}
    until(lambda: all(Path(f"begun-{x}").exists() for x in expected))
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == code
    assert errors.strip().count("\n") == 0
    assert "recorded as CANCELLED" in errors
    assert {x for x in (1, 2, 3) if Path(f"ended-{x}").exists()} == expected
    run_log = get_run_log("r1")
    assert run_log.status == "CANCELLED"
    branches = run_log.steps["m"].branches
    assert {branch.status for branch in branches.values()} == {"CANCELLED"}
    for branch in branches.values():
        assert {step.status for step in branch.steps.values()} == {"CANCELLED"}
    assert Path(".run_log_store/r1.json").exists()


def test_workers_end_with_the_process_that_has_the_run():
    """Killed at once, it can tell them nothing; they notice, whatever they do."""
    Path("script.py").write_text(SCRIPT.replace("sys.argv[-1]", "'process'"))
    process = subprocess.Popen([sys.executable, "script.py"])
    until(lambda: all(Path(f"begun-{x}").exists() for x in (1, 2, 3)))
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    assert str(process.pid) in listed
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
    process.kill()
    process.wait()
    until(lambda: all(Path(f"ended-{x}").exists() for x in (1, 2, 3)))
    until(lambda: not any(Path(f"/proc/{it}/exe").exists() for it in workers.split()))
    # Nothing was recorded as ended that has not been.
    assert get_run_log("r1").status == "PROCESSING"


@pytest.mark.parametrize("parallelism", ["none", "thread"])
def test_an_interrupt_ends_calls_in_other_threads(parallelism, in_memory):
    """Ctrl-C in the caller's thread ends functions and coroutines in all branches."""
    ended = []
    begun = threading.Semaphore(0)

    def loops(x):
        begun.release()
        try:
            while True:
                time.sleep(0.001)
        finally:
            ended.append(x)

    async def sleeps():
        begun.release()
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("coroutine")

    step = Parallel(
        name="p",
        branches={
            "loops": PythonTask(name="s", function=loops).as_pipeline(),
            "sleeps": AsyncPythonTask(name="s", function=sleeps).as_pipeline(),
        },
        parallelism=parallelism,
    )
    store = MemoryRunLogStore()
    expected = 2 if parallelism == "thread" else 1

    def interrupt():
        for _ in range(expected):
            begun.acquire()
        os.kill(os.getpid(), signal.SIGINT)

    killer = threading.Thread(target=interrupt)
    killer.start()
    with pytest.raises(KeyboardInterrupt):
        Pipeline(steps=[step]).execute(
            run_id="r1",
            parameters={"x": 1},
            services={**in_memory, "run_log_store": store},
        )
    killer.join()
    assert len(ended) == expected
    assert store.get_run_log_by_id("r1").status == "CANCELLED"
    assert isinstance(list(store.read("r1"))[-1], RunFinished)


async def slow_coroutine():
    await asyncio.sleep(3600)


def slow_function():
    while True:
        time.sleep(0.001)


def fails():
    raise ValueError


KINDS = {
    "coroutine": {"function": slow_coroutine},
    "function": {"function": slow_function},
    "waiting": {"function": fails, "retries": 3, "retry_delay": 3600.0},
    "timed": {"function": slow_function, "timeout_seconds": 3600.0},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("branches", [False, True])
async def test_cancelling_the_task_that_awaits_ends_the_run(kind, branches, in_memory):
    step = PythonTask(name="s", **KINDS[kind])
    if branches:
        branch = step.as_pipeline()
        step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    store = MemoryRunLogStore()
    running = asyncio.create_task(
        Pipeline(steps=[step]).execute_async(
            run_id="r1",
            parameters={"xs": list(range(5))} if branches else {},
            services={**in_memory, "run_log_store": store},
        )
    )
    started = 5 if branches else 1
    while sum("StepStarted" in type(it).__name__ for it in _records(store)) < (
        started + branches
    ):
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    run_log = store.get_run_log_by_id("r1")
    assert run_log.status == "CANCELLED"
    last = {step.status for step in run_log.all_steps()}
    # A step that waits for another try has failed so far.
    assert last <= ({"CANCELLED", "FAIL"} if kind == "waiting" else {"CANCELLED"})


def _records(store):
    return list(store.read("r1")) if "r1" in store.list_run_ids() else []


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 80), st.booleans())
def test_a_cancellation_at_any_moment_is_the_end_or_comes_too_late(turns, in_threads):
    """After some turns of the loop, wherever the run is then."""

    async def wait(x):
        await asyncio.sleep(0)
        return x

    def call(x):
        return x

    task = PythonTask(
        name="s", function=call if in_threads else wait, returns=["y"], retries=1
    )
    step = Map(name="m", branch=task.as_pipeline(), iterate_on="xs", iterate_as="x")
    store = MemoryRunLogStore()

    async def main():
        running = asyncio.create_task(
            Pipeline(steps=[step]).execute_async(
                run_id="r1",
                parameters={"xs": [1, 2, 3]},
                services={"run_log_store": store, "catalog": {"type": "do-nothing"}},
            )
        )
        for _ in range(turns):
            await asyncio.sleep(0)
        running.cancel()
        try:
            return (await running).status
        except asyncio.CancelledError:
            return "CANCELLED"

    status = asyncio.run(main())
    records = _records(store)
    if records:
        finished = [it for it in records if isinstance(it, RunFinished)]
        assert [records[-1]] == finished
        assert status in {finished[0].status, "CANCELLED"}
        run_log = store.get_run_log_by_id("r1")
        assert "PROCESSING" not in {step.status for step in run_log.all_steps()}
    else:
        assert status == "CANCELLED"


def test_calls_that_outlive_the_run_change_nothing(in_memory, monkeypatch):
    """A function that cannot be ended in time is left behind, and not recorded."""
    from runnable.engine.runtimes import asyncio_runtime as on_loop

    monkeypatch.setattr(on_loop, "GRACE_SECONDS", 0.05)
    release, left = threading.Event(), threading.Event()

    def stubborn():
        while not release.is_set():
            try:
                release.wait(0.01)
            except BaseException:
                continue
        left.set()
        return 1

    store = MemoryRunLogStore()
    step = PythonTask(name="s", function=stubborn, returns=["n"])

    async def main():
        running = asyncio.create_task(
            Pipeline(steps=[step]).execute_async(
                run_id="r1", services={**in_memory, "run_log_store": store}
            )
        )
        await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    before = list(store.read("r1"))
    release.set()
    assert left.wait(60)
    assert list(store.read("r1")) == before
    assert store.get_run_log_by_id("r1").status == "CANCELLED"


def test_nothing_is_left_behind(in_memory):
    """Neither threads nor file descriptors nor processes, after runs of all kinds."""

    def work(x):
        return x

    def once(parallelism):
        branch = PythonTask(name="s", function=work, returns=["y"]).as_pipeline()
        step = Map(
            name="m",
            branch=branch,
            iterate_on="xs",
            iterate_as="x",
            parallelism=parallelism,
        )
        Pipeline(steps=[step]).execute(
            parameters={"xs": list(range(10))}, services=in_memory
        )

    once("process")
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    servers = _children()  # they wait for the next run
    for parallelism in ("thread", "process", "none"):
        once(parallelism)
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before
    # Fork servers wait for the next run, those of other tests' containers among them.
    assert set(_children()) <= set(servers)
    container.fork_server().close()
    assert len(_children()) < len(servers)
    until(
        lambda: not [it for it in threading.enumerate() if it.name == "runnable worker"]
    )


def _children():
    # Each thread has its own children.
    lists = [it.read_text() for it in Path("/proc/self/task").glob("*/children")]
    return [
        child
        for child in " ".join(lists).split()
        if "runnable.engine.worker_server" in Path(f"/proc/{child}/cmdline").read_text()
    ]


def test_a_failing_run_after_an_interrupt_is_not_disturbed(in_memory):
    """What was sent to end one call does not hit another one in the same thread."""
    for _ in range(50):
        step = PythonTask(name="s", function=slow_function, timeout_seconds=0.002)
        with pytest.raises(ExecutionFailedError, match="timeout_seconds"):
            Pipeline(steps=[step]).execute(services=in_memory)
        fine = PythonTask(
            name="s", function=lambda: 1, returns=["n"], timeout_seconds=60
        )
        assert Pipeline(steps=[fine]).execute(services=in_memory).status == "SUCCESS"


def test_calls_left_behind_in_nested_branches_leave_a_readable_log(
    in_memory, monkeypatch
):
    from runnable.engine.runtimes import sync_runtime as inline

    monkeypatch.setattr(inline, "GRACE_SECONDS", 0.05)
    release, begun = threading.Event(), threading.Semaphore(0)

    def stubborn():
        begun.release()
        while not release.is_set():
            try:
                release.wait(0.01)
            except KeyboardInterrupt:
                raise  # in the caller's own thread
            except BaseException:
                continue

    one = PythonTask(name="s", function=stubborn).as_pipeline()
    inner = Parallel(name="i", branches={"x": one, "y": one}).as_pipeline()
    outer = Parallel(name="o", branches={"a": inner, "b": inner})
    store = MemoryRunLogStore()

    def interrupt():
        for _ in range(4):
            begun.acquire()
        os.kill(os.getpid(), signal.SIGINT)

    killer = threading.Thread(target=interrupt)
    killer.start()
    with pytest.raises(KeyboardInterrupt):
        Pipeline(steps=[outer]).execute(
            run_id="r1", services={**in_memory, "run_log_store": store}
        )
    killer.join()
    release.set()
    run_log = store.get_run_log_by_id("r1")
    assert run_log.status == "CANCELLED"
    assert {step.status for step in run_log.all_steps()} <= {"CANCELLED", "SUCCESS"}
