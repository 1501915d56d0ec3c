"""I12 to I43: findings D-12 to D-43 of the infrastructure, as far as they are not D's."""

import os
from importlib.metadata import files
from pathlib import Path

import pytest
from command_line import runnable

from runnable import Map, Pipeline, PythonTask, get_run_log
from runnable.datastore import RunLog
from runnable.exceptions import ConfigurationError
from runnable.report import as_page, as_text, timeline

SECRET = "wrong-horse-staple"


def one(name, function, *returns, **more):
    return PythonTask(name=name, function=function, returns=list(returns), **more)


def test_I12_failures_exit_with_a_status():
    for command in (("retry", "nosuch"), ("timeline", "nosuch"), ("execute", "no.py")):
        finished = runnable(*command)
        assert finished.returncode == 2, command
        assert "Traceback" not in finished.stderr


def test_I13_errors_of_the_configuration_repeat_no_secret():
    Path("c.yaml").write_text(
        "catalog:\n  type: s3\n  config:\n"
        f"    {{bucket: b, aws_secret_access_key: {SECRET}, colour: {SECRET}}}\n"
    )
    with pytest.raises(ConfigurationError, match="colour") as wrong:
        one("s", len).as_pipeline().execute("c.yaml", parameters={"obj": []})
    assert SECRET not in str(wrong.value)


def test_I20_pages_show_what_names_and_values_hold_as_text():
    nasty = "</script><script>alert('x')</script>"
    step = one(f"it's {nasty.replace('.', '')}", lambda: nasty, "value")
    page = as_page(timeline(step.as_pipeline().execute()))
    assert "<script>" not in page
    assert "&lt;script&gt;alert" in page


def test_I22_the_log_of_a_map_grows_with_its_items():
    def size(count):
        branch = one("s", lambda x: x, "y").as_pipeline()
        step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
        step.as_pipeline().execute(
            run_id=f"r{count}", parameters={"xs": list(range(count))}
        )
        return sum(
            it.stat().st_size for it in Path(".run_log_store").glob(f"r{count}.*jsonl")
        )

    assert size(80) / size(20) < 5


@pytest.mark.parametrize("store", ["file-system", "chunked-fs", "sqlite"])
def test_I32_timelines_of_every_store_nesting_and_jobs(store):
    inner = Map(
        name="inner",
        branch=one("leaf", lambda x: x, "y").as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
    ).as_pipeline()
    outer = Map(name="outer", branch=inner, iterate_on="xs", iterate_as="z")
    Path("runnable-config.yaml").write_text(f"run-log-store: {{type: {store}}}\n")
    outer.as_pipeline().execute(run_id="r1", parameters={"xs": [1, 2]})
    drawn = as_text(timeline(get_run_log("r1")))
    assert drawn.count("leaf") == 4
    log = RunLog.model_validate({"run_id": "j", "job": {"status": "SUCCESS"}})
    assert "job" in as_text(timeline(log))


def test_I33_placeholders_cannot_change_the_structure(monkeypatch):
    odd = 'lo"gs\\x, "durability": "none'
    monkeypatch.setenv("RUNNABLE_VAR_folder", odd)
    Path("c.yaml").write_text(
        "run-log-store: {type: file-system, config: {log_folder: $folder}}\n"
    )
    config = one("s", lambda: 1).as_pipeline().execute("c.yaml").run_config
    assert config["run_log_store"]["log_folder"] == odd
    assert config["run_log_store"]["durability"] == "process"


def test_I38_nothing_but_answers_on_standard_output():
    assert runnable("runs", "list", "--json").stdout == "[]\n"


def test_I41_files_of_another_run_can_be_fetched():
    from runnable import Catalog
    from runnable.catalog.file_system import FileSystemCatalog

    def write():
        Path("out.txt").write_text("kept")

    one("s", write, catalog=Catalog(put=["out.txt"])).as_pipeline().execute(run_id="r1")
    Path("out.txt").unlink()
    catalog = FileSystemCatalog()
    catalog.sync_between_runs("r1", "r2")
    catalog.get_files("out.txt", run_id="r2")
    assert Path("out.txt").read_text() == "kept"


def test_I43_what_is_installed_is_ours():
    tops = {str(file).split("/")[0] for file in files("runnable") or ()}
    assert "extensions" not in tops


def test_I34_two_pipelines_of_one_process_share_nothing():
    seen = []
    for number in (1, 2):
        one(
            "s", lambda: seen.append(os.environ["RUNNABLE_RUN_ID"])
        ).as_pipeline().execute(run_id=f"r{number}")
    assert seen == ["r1", "r2"]
    assert isinstance(Pipeline, type)
