"""Branches in threads: helpers come where they help, and each branch is run once."""

import threading
import time

import pytest

from runnable import ExecutionFailedError, Map, PythonTask

OVERLAPPING = 8


def mapped(function, count, services, **more):
    branch = PythonTask(name="f", function=function, returns=["y"]).as_pipeline()
    each = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x", **more)
    run_log = each.as_pipeline().execute(
        parameters={"xs": list(range(count))}, services=services
    )
    return run_log.parameters["y"].value


def test_branches_that_wait_for_each_other_overlap(in_memory):
    together = threading.Barrier(OVERLAPPING)

    def meet(x):
        together.wait(60)
        return x

    assert mapped(meet, OVERLAPPING, in_memory) == list(range(OVERLAPPING))


def test_branches_that_compute_for_long_are_helped(in_memory):
    begun = threading.Semaphore(0)
    all_begun = threading.Event()

    def compute(x):
        begun.release()
        if x == 0:
            for _ in range(OVERLAPPING):
                begun.acquire(timeout=60)
            all_begun.set()
        while not all_begun.is_set():
            pass
        return x

    found = mapped(compute, OVERLAPPING, in_memory, max_workers=OVERLAPPING)
    assert found == list(range(OVERLAPPING))


def test_short_branches_are_each_run_once_and_a_long_one_among_them_is_overtaken(
    in_memory,
):
    calls, last = [], threading.Event()

    def work(x):
        calls.append(x)
        if x == 500:
            assert last.wait(60)
        if x == 999:
            last.set()
        return x

    assert mapped(work, 1000, in_memory) == list(range(1000))
    assert sorted(calls) == list(range(1000))


def test_no_more_at_once_than_asked_for(in_memory):
    lock, inside, most = threading.Lock(), [], []

    def work(x):
        with lock:
            inside.append(x)
            most.append(len(inside))
        time.sleep(0.005)
        with lock:
            inside.remove(x)
        return x

    mapped(work, 40, in_memory, max_workers=3)
    assert max(most) <= 3


def test_a_branch_that_fails_ends_the_step_and_leaves_no_helper(in_memory):
    def work(x):
        if x == 20:
            raise ValueError("the twentieth")
        return x

    with pytest.raises(ExecutionFailedError, match="the twentieth"):
        mapped(work, 200, in_memory)
