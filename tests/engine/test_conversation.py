"""What becomes of a chunk whose worker dies, and of its neighbours."""

import os
import signal
from pathlib import Path

import pytest

from runnable import ExecutionFailedError, Map, Pipeline, PythonTask
from runnable.exceptions import WorkerError


def mapped(function):
    """Map over many items, so that most of them are in a chunk with others."""
    task = PythonTask(name="s", function=function, returns=["y"])
    return Map(
        name="m",
        branch=task.as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        parallelism="process",
        max_workers=2,
    )


def execute(function, services, count=60, **more):
    Pipeline(steps=[mapped(function)]).execute(
        parameters={"xs": list(range(count)), **more}, services=services, run_id="r1"
    )


def test_others_run_what_a_dead_worker_has_left(in_memory, tmp_path):
    def work(x, folder):
        Path(folder, f"{x}-{os.getpid()}").touch()
        if x == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    with pytest.raises(ExecutionFailedError) as caught:
        execute(work, in_memory, folder=str(tmp_path))
    made = [it.name.split("-") for it in tmp_path.iterdir()]
    assert sorted(int(number) for number, _ in made) == list(range(60))
    branches = caught.value.run_log.steps["m"].branches
    failed = {name: it for name, it in branches.items() if it.status != "SUCCESS"}
    assert list(failed) == ["m.40"]
    attempt = failed["m.40"].steps["m.40.s"].attempts[-1]
    assert "signal 9" in attempt.message


def test_items_share_a_worker_and_run_once_each(in_memory, tmp_path):
    def work(x, folder):
        with Path(folder, str(os.getpid())).open("a") as file:
            file.write(f"{x}\n")
        return x

    execute(work, in_memory, folder=str(tmp_path))
    files = [it.read_text().split() for it in tmp_path.iterdir()]
    assert len(files) <= 2
    assert sorted(int(x) for file in files for x in file) == list(range(60))


class Unloadable:
    """Can be sent, and not be received."""

    def __reduce__(self):
        return _refuse, ()


def _refuse():
    raise ImportError("nothing here is called so")


def test_one_item_that_cannot_be_sent_back_fails_alone(in_memory):
    from runnable import pickled

    def work(x):
        return (lambda: x) if x != 40 else _generator()

    def _generator():
        yield 1

    task = PythonTask(name="s", function=work, returns=[pickled("y")])
    step = Map(
        name="m",
        branch=task.as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        parallelism="process",
    )
    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=[step]).execute(
            parameters={"xs": list(range(60))}, services=in_memory
        )
    log = caught.value.run_log
    failed = {n for n, it in log.steps["m"].branches.items() if it.status != "SUCCESS"}
    assert failed == {"m.40"}


def test_a_chunk_that_no_worker_can_load_fails_with_each_reason(in_memory):
    def work(x):
        return x

    step = mapped(work)
    task = step.branch.steps[0]
    bound = Unloadable()

    def closing(x):
        return bound and x

    task = PythonTask(name="s", function=closing, returns=["y"])
    step = Map(
        name="m",
        branch=task.as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        parallelism="process",
    )
    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=[step]).execute(
            parameters={"xs": list(range(4))}, services=in_memory
        )
    group = caught.value.__cause__
    assert len(group.exceptions) == 4
    assert all(isinstance(it, WorkerError) for it in group.exceptions)
    assert "nothing here is called so" in str(group.exceptions[0])
