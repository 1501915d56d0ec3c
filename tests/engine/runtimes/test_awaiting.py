"""Results of calls that need more than a return: generators and awaitables."""

import asyncio
import contextvars
import functools
import subprocess
import sys

import pytest

from runnable import Pipeline, PythonTask
from runnable.engine import run_by_hand
from runnable.engine.runtimes.awaiting import (
    gives_awaitable,
    make,
    must_wait,
    wait_for,
)
from runnable.tasks import Call


class Collected(list):
    """Collects the items of a generator."""

    def begin(self):
        self.append("begin")

    def take(self, item):
        self.append(item)


def numbers():
    yield 1
    yield 2
    return 3


async def numbers_later():
    yield 1
    yield 2


async def answer():
    return 42


def test_a_generator_is_run_to_its_end_and_its_return_value_is_the_result():
    items = Collected()
    assert make(Call(numbers, items=items)) == 3
    assert items == ["begin", 1, 2]


def test_a_generator_runs_also_if_its_items_are_not_wanted():
    assert make(Call(numbers)) == 3


def test_stop_iteration_of_a_function_becomes_a_runtime_error():
    """In a coroutine, StopIteration would be its return."""
    with pytest.raises(RuntimeError, match="raised StopIteration") as caught:
        make(Call(lambda: next(iter([]))))
    assert isinstance(caught.value.__cause__, StopIteration)


def test_an_asynchronous_generator_is_exhausted_and_returns_none():
    items = Collected()
    call = Call(numbers_later, items=items)
    assert run_by_hand(wait_for(make(call), call)) is None
    assert items == ["begin", 1, 2]


@pytest.mark.parametrize("function", [answer, numbers_later])
def test_calls_that_give_something_to_wait_for_are_known_before_and_after(function):
    call = Call(function)
    assert gives_awaitable(call)
    result = make(call)
    assert must_wait(result)
    run_by_hand(wait_for(result, call))


@pytest.mark.parametrize("value", [None, 42, "text", [1]])
def test_plain_values_are_not_waited_for(value):
    assert not must_wait(value)
    assert run_by_hand(wait_for(value, Call(answer))) is value


NAME = contextvars.ContextVar("name", default="of the caller")


def set_name(seen):
    seen.append(NAME.get())
    NAME.set("of a task")


async def set_name_later(seen):
    set_name(seen)
    await asyncio.sleep(0)
    seen.append(NAME.get())


def set_name_and_yield(seen):
    set_name(seen)
    yield {"type": "progress"}
    seen.append(NAME.get())


async def set_name_and_yield_later(seen):
    await set_name_later(seen)
    yield {"type": "progress"}
    seen.append(NAME.get())


FUNCTIONS = [set_name, set_name_later, set_name_and_yield, set_name_and_yield_later]


@pytest.mark.parametrize("way", ["execute", "execute_async"])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_context_variable_of_a_task_stays_its_own(function, way, in_memory):
    """Neither the next step nor the caller sees it; within the task, it is kept."""
    seen = []
    steps = [
        PythonTask(name=name, function=functools.partial(function, seen))
        for name in ("a", "b")
    ]
    pipeline = Pipeline(steps=steps)
    if way == "execute":
        pipeline.execute(services=in_memory)
        after = NAME.get()
    else:

        async def main():
            await pipeline.execute_async(services=in_memory)
            return NAME.get()

        after = asyncio.run(main())
    assert after == "of the caller"
    kept = ["of a task"] * (len(seen) // 2 - 1)
    assert seen == ["of the caller", *kept] * 2


async def test_cancelling_what_is_awaited_in_a_context_reaches_it():
    ended = []

    async def wait():
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(NAME.get())

    call = Call(wait)
    task = asyncio.ensure_future(wait_for(make(call), call))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["of the caller"]


FORKING = """
import os, sys
from runnable import Pipeline, PythonTask, get_run_log

def leave(how):
    child = os.fork()
    if child == 0:
        print("in the child", flush=True)
        if how == "exit":
            sys.exit(0)
        if how == "raise":
            raise ValueError("of the child")
        return "child"
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)

async def leave_later(how):
    return leave(how)

def leave_and_yield(how):
    yield {"type": "progress"}
    return leave(how)

function = globals()[sys.argv[2]]
task = PythonTask(name="s", function=function, returns=["status"])
Pipeline(steps=[task]).execute(run_id="r1", parameters={"how": sys.argv[1]})
run_log = get_run_log("r1")
print(run_log.status, len(run_log.steps["s"].attempts), run_log.parameters["status"].value)
"""


@pytest.mark.parametrize("function", ["leave", "leave_later", "leave_and_yield"])
@pytest.mark.parametrize(("how", "status"), [("exit", 0), ("raise", 1), ("return", 0)])
def test_a_child_that_a_task_forks_does_not_continue_the_run(how, status, function):
    command = [sys.executable, "-c", FORKING, how, function]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.splitlines()[-1] == f"SUCCESS 1 {status}"
    assert finished.stdout.count("SUCCESS") == 1
    assert ("of the child" in finished.stderr) == (how == "raise")
