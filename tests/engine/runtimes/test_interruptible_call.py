"""How a function in a thread ends: by an exception in it, by itself, or with its process."""

import asyncio
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runnable import ExecutionFailedError, PythonTask
from runnable.exceptions import ExecutionCancelledError, StepTimeoutError
from tests.support.gates import IN_MEMORY, container_with, pipeline_of, wait_until


class Holding:
    """A function that holds a lock in Python code until it is let go."""

    def __init__(self):
        self.lock, self.go_on = threading.Lock(), threading.Event()
        self.cleaned = self.ended = False

    def __call__(self):
        with self.lock:
            try:
                while not self.go_on.is_set():
                    time.sleep(0.001)
            finally:
                self.cleaned = True
        self.ended = True
        return "late"


def execute(pipeline, colour, **arguments):
    arguments = {"services": IN_MEMORY, **arguments}
    if colour == "sync":
        return pipeline.execute(**arguments)
    return asyncio.run(pipeline.execute_async(**arguments))


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_timeout_raises_in_the_thread_by_default(colour):
    holding = Holding()
    step = PythonTask(name="s", function=holding, timeout_seconds=0.1)
    with pytest.raises(ExecutionFailedError) as failed:
        execute(step.as_pipeline(), colour)
    assert isinstance(failed.value.__cause__, StepTimeoutError)
    # Its `finally` has run, and its lock is free.
    assert holding.cleaned
    assert holding.lock.acquire(timeout=5)
    assert not holding.ended


@pytest.mark.parametrize("colour", ["sync", "async"])
@pytest.mark.parametrize("chosen_by", ["task", "container"])
def test_an_abandoned_thread_ends_by_itself(colour, chosen_by):
    holding = Holding()
    interrupt = "abandon" if chosen_by == "task" else None
    limits = {"interrupt": "abandon"} if chosen_by == "container" else {}
    step = PythonTask(
        name="s",
        function=holding,
        returns=["x"],
        timeout_seconds=0.1,
        interrupt=interrupt,
    )
    with pytest.raises(ExecutionFailedError) as failed:
        execute(step.as_pipeline(), colour, container=container_with(**limits))
    run_log = failed.value.run_log
    message = run_log.steps["s"].attempts[0].message
    assert "its thread was left to end by itself" in message
    assert not holding.cleaned
    assert holding.lock.locked()
    holding.go_on.set()
    wait_until(lambda: holding.ended)
    # Its late result is ignored.
    assert "x" not in run_log.parameters
    assert run_log.status == "FAIL"


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_cancelled_run_leaves_its_thread_alone(colour):
    holding, app = Holding(), container_with(interrupt="abandon")
    step = PythonTask(name="s", function=holding, returns=["x"])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            execute, step.as_pipeline(), colour, run_id="r1", container=app
        )
        wait_until(holding.lock.locked)
        app.runs().cancel("r1")
        with pytest.raises(ExecutionCancelledError):
            running.result(60)
    assert holding.lock.locked()
    holding.go_on.set()
    wait_until(lambda: holding.ended)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_the_place_of_an_abandoned_task_is_free_when_it_has_ended(colour):
    holding = Holding()
    app = container_with(interrupt="abandon", max_steps=1)
    step = PythonTask(name="s", function=holding, timeout_seconds=0.1)
    with pytest.raises(ExecutionFailedError):
        execute(step.as_pipeline(), colour, container=app)
    limit = app.runs().step_limits.limiters()[0]
    place = limit.acquire()
    assert place is not None, "it is still taken"
    holding.go_on.set()
    place.result(60)
    limit.release()
    run_log = pipeline_of(lambda: None).execute(services=IN_MEMORY, container=app)
    assert run_log.status == "SUCCESS"


def test_a_generator_that_was_abandoned_emits_nothing_more():
    from runnable.events import TaskEvent, listening

    go_on, ended = threading.Event(), threading.Event()
    told = []

    def generate():
        yield {"type": "early"}
        go_on.wait(60)
        yield {"type": "late"}
        ended.set()

    step = PythonTask(
        name="s", function=generate, timeout_seconds=0.1, interrupt="abandon"
    )
    with listening(told.append), pytest.raises(ExecutionFailedError):
        step.as_pipeline().execute(services=IN_MEMORY)
    go_on.set()
    assert ended.wait(60)
    events = [it.event["type"] for it in told if isinstance(it, TaskEvent)]
    assert events == ["early"]


def sleep_in_c(seconds: float):
    """Stay in C code, which no exception reaches until it returns."""
    started = time.monotonic()
    try:
        threading.Event().wait(0)
        time.sleep(seconds)
    finally:
        Path("finally.txt").write_text(f"{time.monotonic() - started:.1f}")


@pytest.mark.parametrize("interrupt", ["raise", "abandon"])
def test_c_code_is_waited_for_or_left_alone(interrupt):
    """No exception reaches C code before it returns."""
    step = PythonTask(
        name="s", function=sleep_in_c, timeout_seconds=0.2, interrupt=interrupt
    )
    with pytest.raises(ExecutionFailedError):
        step.as_pipeline().execute(parameters={"seconds": 2}, services=IN_MEMORY)
    if interrupt == "abandon":
        assert not Path("finally.txt").exists()
    wait_until(Path("finally.txt").exists)


def test_allowed_values_of_interrupt():
    with pytest.raises(ValueError, match="'raise' or 'abandon'"):
        container_with(interrupt="stop").runs()


def test_a_traced_program_continues_after_an_interruption_was_withdrawn():
    """A debugger or a coverage tool must not hang in CPython 3.11."""
    code = (
        "import sys\n"
        "from runnable.engine.runtimes.interruptible_call import (\n"
        "    withdraw_interruption)\n"
        "withdraw_interruption()\n"
        "def call(): return 'called'\n"
        "sys.setprofile(lambda *event: None)\n"
        "print(call())\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert finished.stdout == "called\n"
