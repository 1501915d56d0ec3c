"""Names of version 0.50 that programs import: there with a warning, or as they were."""

import importlib
import warnings
from pathlib import Path

import pytest

from runnable import Catalog, Map, Pipeline, PythonJob, PythonTask, metric
from runnable.earlier_names import MOVED

NAMES = [(module, name) for module, names in MOVED.items() for name in names]


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_a_name_is_there_with_a_warning_that_says_where_it_is(module, name):
    home = importlib.import_module(module)
    with pytest.warns(DeprecationWarning, match=rf"{module}\.{name} is now ") as seen:
        found = getattr(home, name)
    assert seen[0].filename == __file__
    where, _, now = str(seen[0].message).partition(" is now ")[2].rpartition(".")
    assert getattr(importlib.import_module(where), now) is found


def test_the_list_of_names():
    assert {name for _, name in NAMES} >= {
        *("truncate_value", "set_stream_queue", "get_stream_queue", "OTEL_AVAILABLE"),
        *("IterableParameterModel", "LoopIndexModel", "MapVariableModel"),
        *("EnvSecretsManager", "NativePickler", "BufferRunLogstore"),
        *("BaseTask", "BaseJob"),
    }


def test_a_name_that_never_was():
    for module in MOVED:
        with pytest.raises(AttributeError, match=f"module '{module}' has no attribute"):
            _ = importlib.import_module(module).nothing


def test_they_work_as_they_did():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from runnable.defaults import IterableParameterModel, MapVariableModel
        from runnable.sdk import BaseJob, BaseTask
        from runnable.telemetry import truncate_value
    assert len(truncate_value("a" * 300, 20)) == 20
    given = IterableParameterModel(map_variable={"x": MapVariableModel(value=1)})
    assert given.model_dump_json() == (
        '{"map_variable":{"x":{"value":1}},"loop_variable":[]}'
    )
    assert issubclass(PythonTask, BaseTask)
    assert issubclass(PythonJob, BaseJob)


def put(name):
    def function(x=0):
        Path(name.format(x)).write_text("text")
        return x, 0.5

    return function


def step(name, file):
    return PythonTask(
        name=name,
        function=put(file),
        returns=["x", metric("score")],
        catalog=Catalog(put=[file.format("*")]),
    )


def test_the_summaries_of_logs():
    branch = step("leaf", "b{}.txt").as_pipeline()
    each = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    run_log = Pipeline(steps=[step("first", "a.txt"), each]).execute(
        run_id="r1", parameters={"xs": [1]}
    )
    assert run_log.steps["first"].get_summary() == {
        "Name": "first",
        "Input catalog content": [],
        "Available parameters": [],
        "Output catalog content": ["a.txt"],
        "Output parameters": [("x", 0), ("score", 0.5)],
        "Metrics": [("score", 0.5)],
        "Code identities": ["git:None but is not dependable"],
        "status": "SUCCESS",
    }
    summary = run_log.get_summary()
    assert summary["Unique execution id"] == "r1"
    assert summary["Final Parameters"]["x"] == [1]
    assert summary["Collected metrics"] == {"score": [0.5]}
    assert summary["Catalog Location"]["catalog_location"] == ".catalog"
    names = [it.name for it in run_log.get_data_catalogs_by_stage()]
    assert sorted(names) == ["a.txt", "b1.txt"]
    assert run_log.get_data_catalogs_by_stage("get") == []
    in_map = run_log.steps["m"]
    for log in (in_map, in_map.branches["m.1"]):
        (file,) = log.get_data_catalogs_by_stage("put")
        assert file.name == "b1.txt"


def test_the_summary_of_a_job():
    job = PythonJob(function=lambda: 1, returns=["one"])
    summary = job.execute().job.get_summary()
    assert summary["Output parameters"] == [("one", 1)]
    assert "Name" not in summary
