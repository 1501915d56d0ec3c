"""Files of the library itself are no results of a step, whatever its patterns say."""

import json
from pathlib import Path

import pytest

from runnable import Catalog, Pipeline, PythonTask

STORES = {
    "file-system": {"type": "file-system"},
    "elsewhere": {"type": "file-system", "config": {"log_folder": "logs/of runs"}},
    "sqlite": {"type": "sqlite", "config": {"location": "db/runs.sqlite"}},
}


@pytest.mark.parametrize("store", STORES.values(), ids=STORES)
@pytest.mark.parametrize("workspace", ["shared", "isolated"])
def test_a_pattern_for_everything_finds_results_alone(store, workspace):
    Path(".env").write_text("TOKEN=correct-horse-staple")

    def work():
        Path("out").mkdir(exist_ok=True)
        Path("out/a.txt").write_text("a")
        Path("b.txt").write_text("b")

    step = PythonTask(
        name="s",
        function=work,
        catalog=Catalog(put=["**/*"]),
        workspace=workspace,
    )
    services = {
        "run_log_store": store,
        "catalog": {"type": "file-system", "config": {"catalog_location": "kept"}},
        "secrets": {"type": "dotenv"},
    }
    for number in range(3):
        run_log = step.as_pipeline().execute(run_id=f"r{number}", services=services)
        names = {it.name for it in run_log.steps["s"].data_catalog}
        assert names == {"out/a.txt", "b.txt"}


def test_other_services_than_before_leave_the_files_of_earlier_runs():
    step = PythonTask(
        name="s",
        function=lambda: Path("a.txt").write_text("a") and None,
        catalog=Catalog(put=["**/*"]),
    )
    step.as_pipeline().execute()
    services = {
        "run_log_store": {"type": "memory"},
        "catalog": {"type": "file-system", "config": {"catalog_location": "kept"}},
    }
    run_log = step.as_pipeline().execute(services=services)
    assert {it.name for it in run_log.steps["s"].data_catalog} == {"a.txt"}


def test_the_readable_run_log_is_valid_json_whatever_numbers_it_has():
    def work():
        return [float("nan"), {"a": float("inf")}], -float("inf")

    step = PythonTask(name="s", function=work, returns=["x", "y"])
    run_log = Pipeline(steps=[step]).execute(run_id="r1")
    assert run_log.parameters["y"].value == -float("inf")

    def refuse(name):
        raise AssertionError(name)

    text = Path(".run_log_store/r1.json").read_text()
    log = json.loads(text, parse_constant=refuse)
    assert log["parameters"]["x"]["value"] == ["NaN", {"a": "Infinity"}]
    assert log["parameters"]["y"]["value"] == "-Infinity"
