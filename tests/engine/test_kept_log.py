"""The log of a run is the same, whatever it is made of, and whenever it is read."""

import pytest

from runnable import Map, Pipeline, PythonTask, Stub, metric
from runnable.datastore import RunLogView
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.datastore.memory import MemoryRunLogStore
from runnable.datastore.sql import SqliteRunLogStore

TIMES = {"start_time", "end_time"}


def pipeline():
    def numbers():
        print("said")
        return [1, 2, 3]

    def double(x):
        return 2 * x

    branch = PythonTask(name="double", function=double, returns=["y"]).as_pipeline()
    return Pipeline(
        steps=[
            PythonTask(name="numbers", function=numbers, returns=["xs"]),
            Map(name="m", branch=branch, iterate_on="xs", iterate_as="x"),
            PythonTask(name="total", function=sum_of, returns=[metric("total")]),
            Stub(name="stub"),
        ]
    )


def sum_of(y: list):
    return sum(y)


def stores(folder):
    return {
        "memory": MemoryRunLogStore(),
        "files": FileSystemRunLogStore(log_folder=str(folder / "logs")),
        "sql": SqliteRunLogStore(location=f"{folder}/runs.sqlite"),
    }


def without_times(value):
    if isinstance(value, dict):
        return {key: without_times(it) for key, it in value.items() if key not in TIMES}
    return [without_times(it) for it in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", ["memory", "files", "sql"])
def test_it_is_what_the_store_reads_back(kind, tmp_path):
    store = stores(tmp_path)[kind]
    services = {"run_log_store": store, "catalog": {"type": "do-nothing"}}
    run_log = pipeline().execute(run_id="r1", services=services)
    again = store.get_run_log_by_id("r1")
    assert run_log.model_dump() == again.model_dump()
    assert run_log.metrics == again.metrics == {"total": 12}
    assert [it.internal_name for it in run_log.all_steps()] == [
        it.internal_name for it in again.all_steps()
    ]


def test_all_stores_have_the_same_log(tmp_path):
    logs = {
        kind: without_times(
            pipeline()
            .execute(
                run_id="r1",
                services={"run_log_store": it, "catalog": {"type": "do-nothing"}},
            )
            .model_dump(mode="json", exclude={"run_config"})
        )
        for kind, it in stores(tmp_path).items()
    }
    assert logs["memory"] == logs["files"] == logs["sql"]


def test_a_log_stays_what_it_was_when_its_run_is_deleted(tmp_path):
    store = MemoryRunLogStore()
    services = {"run_log_store": store, "catalog": {"type": "do-nothing"}}
    run_log = pipeline().execute(run_id="r1", services=services)
    store.remove("r1")
    assert list(run_log.steps) == ["numbers", "m", "total", "stub", "success"]
    assert len(run_log.steps["m"].branches) == 3


def test_in_memory_no_step_is_made_before_somebody_looks(monkeypatch):
    made = []
    original = RunLogView.step_finished

    def noted(self, step, record):
        made.append(step.path)
        original(self, step, record)

    monkeypatch.setattr(RunLogView, "step_finished", noted)
    services = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}
    run_log = pipeline().execute(services=services)
    assert run_log.parameters["total"].value == 12
    assert not made
    assert run_log.steps["total"].status == "SUCCESS"
    assert made
