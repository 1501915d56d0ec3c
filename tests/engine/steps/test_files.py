"""Files of a step: fetched before it, kept after it, and left over when it fails."""

from pathlib import Path

import pytest

from runnable import (
    Catalog,
    ExecutionFailedError,
    Parallel,
    Pipeline,
    PythonTask,
    get_run_log,
)


def write(name, content):
    Path(name).write_text(content)


def task(name, function, put=(), get=()):
    catalog = Catalog(put=list(put), get=list(get))
    return PythonTask(name=name, function=function, catalog=catalog)


def test_a_file_that_is_put_is_there_for_a_later_step():
    read = []

    def make():
        write("data.csv", "1,2")

    def use():
        read.append(Path("data.csv").read_text())

    def remove():
        Path("data.csv").unlink()

    steps = [task("make", make, put=["*.csv"]), task("remove", remove)]
    steps.append(task("use", use, get=["data.csv"]))
    run_log = Pipeline(steps=steps).execute()
    assert read == ["1,2"]
    assert [it.stage for it in run_log.steps["use"].data_catalog] == ["get"]


def test_a_file_that_is_missing_fails_the_step_by_name():
    step = task("s", lambda: None, put=["nothing-*.csv"])
    with pytest.raises(ExecutionFailedError, match=r"nothing-\*\.csv"):
        step.as_pipeline().execute()


def test_a_failed_step_keeps_its_files_and_its_output():
    def fail():
        print("trying")
        write("partial.txt", "half")
        raise ValueError("no")

    step = task("s", fail, put=["partial.txt", "never.txt"])
    with pytest.raises(ExecutionFailedError):
        step.as_pipeline().execute(run_id="r1")
    kept = {path.name for path in Path(".catalog/r1").rglob("*") if path.is_file()}
    assert "partial.txt" in kept
    (log,) = Path(".catalog/r1").glob("s*.execution.log")
    assert "trying" in log.read_text()
    assert "ValueError: no" in log.read_text()
    assert get_run_log("r1").status == "FAIL"


def test_a_file_that_another_branch_has_put_is_reported(caplog):
    def branch(content):
        return task("s", lambda: write("f.txt", content), put=["f.txt"]).as_pipeline()

    both = Parallel(name="p", branches={"a": branch("a"), "b": branch("b")})
    services = {"pipeline_executor": {"type": "local", "parallelism": "none"}}
    Pipeline(steps=[both]).execute(services=services)
    assert "'f.txt' replaces a file of this name that branch 'p.a' has put" in (
        caplog.text
    )
