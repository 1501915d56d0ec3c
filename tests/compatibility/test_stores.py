"""D63 to D73: catalog, run logs, jobs, retry."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
import scripts
from command_line import runnable

from runnable import (
    Catalog,
    ExecutionFailedError,
    Loop,
    Pipeline,
    PythonJob,
    PythonTask,
    get_run_log,
)
from runnable.exceptions import (
    RetryValidationError,
    RunLogExistsError,
    RunLogNotFoundError,
)


def one(name, function, *returns, **more):
    return PythonTask(name=name, function=function, returns=list(returns), **more)


def write(text="kept"):
    def function():
        Path("data").mkdir(exist_ok=True)
        Path("data/out.txt").write_text(text)

    return function


def test_D63_the_catalog_is_no_part_of_itself():
    pipeline = one("s", write(), catalog=Catalog(put=["**/*.txt"])).as_pipeline()
    for _ in range(2):
        run_log = pipeline.execute()
        assert [it.name for it in run_log.steps["s"].data_catalog] == ["data/out.txt"]


def test_D64_another_compute_folder():
    services = {
        "catalog": {"type": "file-system", "config": {"compute_data_folder": "data"}}
    }
    steps = [
        one("put", write(), catalog=Catalog(put=["out.txt"])),
        one("get", lambda: Path("data/out.txt").unlink()),
        one(
            "again",
            lambda: Path("data/out.txt").read_text(),
            "text",
            catalog=Catalog(get=["out.txt"]),
        ),
    ]
    run_log = Pipeline(steps=steps).execute(services=services)
    assert run_log.parameters["text"].value == "kept"


@pytest.mark.parametrize("catalog", [Catalog(get=["no"]), Catalog(put=["no"])])
def test_D65_a_missing_file_fails_the_step(catalog):
    step = one("s", lambda: 1, catalog=catalog)
    step.on_failure = one("mend", lambda: 1, "mended").as_pipeline()
    run_log = step.as_pipeline().execute()
    assert run_log.status == "SUCCESS"
    assert run_log.parameters["mended"].value == 1
    assert run_log.steps["s"].status == "FAIL"
    assert "no" in run_log.steps["s"].attempts[0].message


def raises():
    raise ValueError("bad data")


def test_D66_a_failing_job_raises():
    with pytest.raises(ExecutionFailedError, match="bad data") as failed:
        PythonJob(function=raises).execute()
    assert isinstance(failed.value.__cause__, ValueError)
    finished = scripts.run(
        "from runnable import PythonJob\n"
        "def f(): raise ValueError('bad data')\n"
        "PythonJob(function=f).execute()\n"
    )
    assert finished.returncode == 1


def test_D67_a_job_records_its_files_once_and_its_log_always():
    job = PythonJob(function=write(), catalog=Catalog(put=["data/*"]))
    assert len(job.execute().job.data_catalog) == 1
    job = PythonJob(function=write(), catalog=Catalog(put=["nothing"]))
    with pytest.raises(ExecutionFailedError):
        job.execute(job_id="j1")
    run_log = get_run_log("j1")
    assert (run_log.status, run_log.job.status) == ("FAIL", "FAIL")
    assert len(run_log.job.attempts) == 1


def test_D68_retry_says_how_it_went():
    assert runnable("retry", "nosuch").returncode == 2
    Path("c.yaml").write_text("secrets: {type: dotenv, location: secrets.env}\n")
    Path("secrets.env").write_text("KEY=value\n")
    Path("p.yaml").write_text(
        "dag: {start_at: s, steps: {s: {type: task, command_type: shell, secrets: "
        "[KEY], command: 'test -f mended', next: success}}}\n"
    )
    assert runnable("execute", "p.yaml", "r1", "-c", "c.yaml").returncode == 1
    assert runnable("retry", "r1").returncode == 1
    Path("mended").touch()
    # With the configuration that the run had.
    finished = runnable("retry", "r1")
    assert finished.returncode == 0, finished.stderr


def test_D69_a_description_may_change_and_other_code_is_told():
    flag = Path("mended")

    def make(description, function):
        return Pipeline(
            steps=[one("s", function, "x")], description=description, name="p"
        )

    def work():
        return flag.stat().st_size

    with pytest.raises(ExecutionFailedError):
        make("a", work).execute(run_id="r1")
    flag.write_text("xyz")
    assert make("b", work).execute(resume="r1").status == "SUCCESS"
    with pytest.raises(RetryValidationError, match="changed"):
        make("b", raises).execute(resume="r1")


def test_D70_a_retry_changes_no_history():
    flag = Path("mended")

    def body(number, i):
        if i == 1 and not flag.exists():
            raise ValueError("not yet")
        return number + 1, i == 1

    loop = Loop(
        name="l",
        branch=one("s", body, "number", "done").as_pipeline(),
        max_iterations=3,
        break_on="done",
        index_as="i",
    )
    pipeline = Pipeline(steps=[loop])
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(run_id="r1", parameters={"number": 10})
    first = get_run_log("r1").steps["l"].branches["l.0"]
    flag.touch()
    run_log = pipeline.execute(resume="r1")
    assert run_log.steps["l"].branches["l.0"].model_dump() == first.model_dump()
    assert run_log.parameters["number"].value == 12
    assert run_log.status == "SUCCESS"


def test_D71_changed_files_are_named():
    def git(*arguments):
        subprocess.run(["git", *arguments], check=True, capture_output=True)

    git("init", "-q")
    git("config", "user.email", "a@b.c")
    git("config", "user.name", "a")
    Path("kept.py").write_text("1")
    git("add", "kept.py")
    git("commit", "-q", "-m", "first")

    def identity():
        finished = scripts.run(
            "from runnable import Stub\n"
            "log = Stub(name='s').as_pipeline().execute()\n"
            "print(log.steps['s'].attempts[0].code_identities[0].model_dump_json())\n",
        )
        return json.loads(finished.stdout)

    untracked = identity()
    assert not untracked["code_identifier_dependable"]
    assert "script.py" in str(untracked["code_identifier_message"])
    git("add", "script.py")
    staged = identity()
    assert not staged["code_identifier_dependable"]
    assert "script.py" in str(staged["code_identifier_message"])
    assert re.fullmatch("[0-9a-f]{40}", staged["code_identifier"])


def test_D72_the_options_of_services_are_recorded():
    Path("c.yaml").write_text(
        "run-log-store: {type: file-system, config: {log_folder: logs}}\n"
    )
    Path("p.yaml").write_text("x: 1\n")
    config = (
        one("s", lambda: 1)
        .as_pipeline()
        .execute("c.yaml", parameters_file="p.yaml")
        .run_config
    )
    assert config["run_log_store"]["log_folder"] == "logs"
    assert config["catalog"]["catalog_location"] == ".catalog"
    assert config["configuration_file"] == "c.yaml"
    assert config["parameters_file"] == "p.yaml"


@pytest.mark.parametrize("store", ["file-system", "chunked-fs", "buffered"])
def test_D73_errors_of_stores_have_one_text(store):
    services = {"run_log_store": {"type": store}}
    if store == "buffered":
        from runnable.datastore.memory import MemoryRunLogStore

        services = {"run_log_store": MemoryRunLogStore()}
    pipeline = one("s", lambda: 1).as_pipeline()
    pipeline.execute(run_id="r1", services=services)
    with pytest.raises(RunLogExistsError) as exists:
        pipeline.execute(run_id="r1", services=services)
    assert str(exists.value).count("exists") == 1
    with pytest.raises(RunLogNotFoundError, match="no run 'nobody'"):
        get_run_log("nobody", services=services)
    assert os.environ.get("RUNNABLE_RUN_ID") is None
