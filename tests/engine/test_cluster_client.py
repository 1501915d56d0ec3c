"""What becomes of a chunk whose answer is lost, although its work was done.

`tests/executor/test_clusters.py` runs pipelines on real clusters.
"""

import threading
from collections import Counter
from pathlib import Path

from runnable import Map, Pipeline, PythonTask
from runnable.events import listening
from runnable.executor import (
    BasePipelineExecutor,
    ExecutionOptions,
    Lost,
    call_by_name,
)
from runnable.graph import Overlap


class InThisProcess:
    """A cluster without processes; it loses the answer to some of its calls."""

    name = "this process"

    def __init__(self, lost):
        self.lost = lost
        self.calls = 0
        self.lock = threading.Lock()

    def slots(self):
        return 1

    def ask_all(self, function, content):
        return {"here": call_by_name(function, content)}

    def submit(self, work):
        with self.lock:
            self.calls += 1
            return Called(work, lost=self.calls in self.lost)

    def close(self):
        pass


class Called:
    def __init__(self, work, *, lost):
        self.work, self.lost = work, lost
        self.stopped = threading.Event()

    def wait(self):
        answer = call_by_name(self.work.function, self.work.content, self.stopped)
        return Lost("the network is gone") if self.lost else answer

    def stop(self):
        self.stopped.set()


class Executor(BasePipelineExecutor):
    """Has a cluster without processes."""

    service_name: str = "here"
    lost: list[int] = []

    @property
    def options(self):
        cluster = InThisProcess(self.lost)
        return ExecutionOptions(Overlap("process"), cluster=cluster)


def test_results_come_from_the_journal_and_nothing_runs_again(tmp_path):
    def work(x, folder):
        with Path(folder, "ran").open("a") as file:
            file.write(f"{x}\n")
        return x

    task = PythonTask(name="s", function=work, returns=["y"])
    step = Map(name="m", branch=task.as_pipeline(), iterate_on="xs", iterate_as="x")
    xs = list(range(50))
    log = Pipeline(steps=[step]).execute(
        parameters={"xs": xs, "folder": str(tmp_path)},
        services={"pipeline_executor": Executor(lost=[1, 3, 4])},
    )
    assert log.parameters["y"].value == xs
    ran = Counter(int(it) for it in (tmp_path / "ran").read_text().split())
    assert ran == Counter(xs)


def test_printed_text_and_warnings_come_back(capsys):
    def work():
        print("printed there")
        return 1

    task = PythonTask(name="s", function=work, returns=["y"])
    Pipeline(steps=[task]).execute(services={"pipeline_executor": Executor()})
    assert capsys.readouterr().out == "printed there\n"


def test_subscribers_learn_of_what_happens_there():
    def work(x):
        return x

    task = PythonTask(name="s", function=work, returns=["y"])
    step = Map(name="m", branch=task.as_pipeline(), iterate_on="xs", iterate_as="x")
    pipeline = Pipeline(steps=[step])
    events = {}
    for place, services in {
        "here": {},
        "there": {"pipeline_executor": Executor()},
    }.items():
        kinds = events[place] = Counter()

        def count(event, kinds=kinds):
            kinds.update([type(event).__name__])

        with listening(count):
            pipeline.execute(parameters={"xs": [1, 2, 3]}, services=services)
    assert events["there"] == events["here"]
    assert events["there"]["StepFinished"]
