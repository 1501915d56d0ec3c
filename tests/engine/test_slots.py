"""So many tasks of a container are active at once, wherever branches run."""

import sys
import time
from pathlib import Path

import pytest
from dependency_injector import providers

from containers import RunContainer
from runnable import Map, Parallel, PythonTask
from runnable.concurrency import Runs


class OneAtOnce(RunContainer):
    """Can be imported by worker processes."""

    runs = providers.ThreadSafeSingleton(Runs, max_steps=1)


def mark(x):
    """Fail if another call of this function is active, in any process."""
    file = Path("active")
    file.touch(exist_ok=False)
    time.sleep(0.02)
    file.unlink()
    return x


@pytest.mark.parametrize("parallelism", ["thread", "process"])
def test_no_two_tasks_of_branches_overlap(parallelism, in_memory, monkeypatch):
    monkeypatch.setattr(OneAtOnce, "__module__", "test_step_limit")
    monkeypatch.setitem(sys.modules, "test_step_limit", sys.modules[__name__])
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    one = PythonTask(name="one", function=mark, returns=["y"]).as_pipeline()
    both = Parallel(name="both", branches={"a": one, "b": one}).as_pipeline()
    for branch in (one, both):
        step = Map(
            name="m",
            iterate_on="xs",
            iterate_as="x",
            branch=branch,
            parallelism=parallelism,
            max_workers=3,
        )
        run_log = step.as_pipeline().execute(
            parameters={"xs": [1, 2, 3]}, services=in_memory, container=OneAtOnce()
        )
        assert run_log.parameters["y"].value == [1, 2, 3]
