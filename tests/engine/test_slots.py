"""So many tasks of a container are active at once, wherever branches run."""

import sys
import time
import uuid
from pathlib import Path

import pytest
from dependency_injector import providers

from containers import RunContainer
from runnable import Map, Parallel, PythonTask
from runnable.concurrency import ANY, ONE, Limiter, Runs


class OneAtOnce(RunContainer):
    """Can be imported by worker processes."""

    runs = providers.ThreadSafeSingleton(Runs, max_steps=1)


class TwoAtOnce(RunContainer):
    """Can be imported by worker processes."""

    runs = providers.ThreadSafeSingleton(Runs, max_steps=2)


def count(x):
    """Return how many calls of this function are active, in any process."""
    file = Path(f"active-{uuid.uuid4()}")
    file.touch()
    time.sleep(0.02)
    active = len(list(Path().glob("active-*")))
    file.unlink()
    return active


def nest(x):
    """Run a pipeline whose branches overlap, in a task."""
    one = PythonTask(name="one", function=count, returns=["n"]).as_pipeline()
    step = Map(name="m", iterate_on="xs", iterate_as="x", branch=one)
    run_log = step.as_pipeline().execute(parameters={"xs": list(range(6))})
    return max(run_log.parameters["n"].value)


def mark(x):
    """Fail if another call of this function is active, in any process."""
    file = Path("active")
    file.touch(exist_ok=False)
    time.sleep(0.02)
    file.unlink()
    return x


@pytest.fixture
def importable(monkeypatch):
    """Let worker processes import this module."""
    for container in (OneAtOnce, TwoAtOnce):
        monkeypatch.setattr(container, "__module__", "test_slots")
    monkeypatch.setitem(sys.modules, "test_slots", sys.modules[__name__])
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def run_map(branch, parallelism, services, container):
    """Run a map of three items, all of them at once if they may be."""
    step = Map(
        name="m",
        iterate_on="xs",
        iterate_as="x",
        branch=branch,
        parallelism=parallelism,
        max_workers=3,
    )
    return step.as_pipeline().execute(
        parameters={"xs": [1, 2, 3]}, services=services, container=container
    )


@pytest.mark.parametrize("parallelism", ["thread", "process"])
def test_no_two_tasks_of_branches_overlap(parallelism, in_memory, importable):
    one = PythonTask(name="one", function=mark, returns=["y"]).as_pipeline()
    both = Parallel(name="both", branches={"a": one, "b": one}).as_pipeline()
    for branch in (one, both):
        run_log = run_map(branch, parallelism, in_memory, OneAtOnce())
        assert run_log.parameters["y"].value == [1, 2, 3]


@pytest.mark.parametrize("parallelism", ["none", "thread", "process"])
def test_tasks_of_nested_runs_count(parallelism, in_memory, importable):
    """A nested run uses the slot of its step, and others while they are free."""
    outer = PythonTask(name="outer", function=nest, returns=["most"]).as_pipeline()
    run_log = run_map(outer, parallelism, in_memory, TwoAtOnce())
    assert max(run_log.parameters["most"].value) <= 2


def test_slots_are_back_when_nested_runs_have_ended():
    limiter = Limiter({ANY: 2}, "tasks", "wait")
    assert limiter.acquire() is None  # of the step
    nested = limiter.nested("step", ONE)
    assert nested is limiter.nested("step", ONE)
    assert [nested.acquire(), nested.acquire()] == [None, None]
    third = nested.acquire()
    other = limiter.acquire()
    assert not third.done()
    assert not other.done()
    nested.release()  # handed on to the third task of the nested runs
    assert third.done()
    assert not other.done()
    nested.release()
    assert other.done()
    nested.release()
    limiter.release()
    limiter.release()
    assert limiter.acquire_free()
    assert limiter.acquire_free()
    assert not limiter.acquire_free()
