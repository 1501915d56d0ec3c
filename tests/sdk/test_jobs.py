"""Jobs: one task, tracked."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel

from runnable import (
    Catalog,
    ExecutionFailedError,
    PythonJob,
    ShellJob,
    get_run_log,
    metric,
    pickled,
)
from runnable.context import get_run_context
from runnable.exceptions import (
    ConfigurationError,
    DefinitionError,
    ParameterMissingError,
    RunLogExistsError,
    SettingsError,
)


class Score(BaseModel):
    value: float


def work(x: int):
    print(f"working on {x}")
    Path("out.txt").write_text(str(x))
    return {1, 2}, Score(value=x), 0.9


def test_a_job_is_tracked_like_a_step():
    job = PythonJob(
        function=work,
        returns=[pickled("df"), "score", metric("accuracy")],
        catalog=Catalog(put=["out.txt"]),
        name="of no use",
    )
    run_log = job.execute(job_id="j1", tag="t", parameters={"x": 3})
    assert (run_log.run_id, run_log.tag, run_log.status) == ("j1", "t", "SUCCESS")
    assert (run_log.steps, run_log.dag_hash) == ({}, "")
    assert run_log.job.status == "SUCCESS"
    (attempt,) = run_log.job.attempts
    outputs = {name: it.value for name, it in attempt.output_parameters.items()}
    assert outputs == {"df": "df", "score": {"value": 3.0}, "accuracy": 0.9}
    assert run_log.parameters["df"].get_value() == {1, 2}
    assert [file.name for file in run_log.job.data_catalog] == ["out.txt"]
    (log,) = Path(".catalog/j1").glob("job???.execution.log")
    assert log.read_text() == "working on 3\n"
    assert run_log.run_config["job_executor"]["service_name"] == "local"
    assert "pipeline_executor" not in run_log.run_config
    assert get_run_log("j1").model_dump() == run_log.model_dump()
    with pytest.raises(RunLogExistsError):
        job.execute(job_id="j1", parameters={"x": 3})


async def test_a_job_may_be_awaited(in_memory):
    async def answer(x):
        return x + get_run_context().run_id

    run_log = await PythonJob(function=answer, returns=["y"]).execute_async(
        job_id="j1", parameters={"x": "in "}, services=in_memory
    )
    assert run_log.parameters["y"].value == "in j1"


def test_a_shell_job(in_memory):
    run_log = ShellJob(command="export y=$(expr $x + 1)", returns=["y"]).execute(
        parameters={"x": 1}, services=in_memory
    )
    assert run_log.parameters["y"].value == 2


def test_a_failing_job_raises_and_is_recorded(in_memory):
    def fail():
        raise LookupError("nothing there")

    with pytest.raises(ExecutionFailedError, match="the job: LookupError") as caught:
        PythonJob(function=fail, retries=1).execute(services=in_memory)
    assert caught.value.run_log.job.status == "FAIL"
    assert len(caught.value.run_log.job.attempts) == 2


def test_a_file_that_is_not_there_fails_the_job():
    job = PythonJob(function=lambda: 1, catalog=Catalog(put=["missing"]), returns=["x"])
    with pytest.raises(ExecutionFailedError, match="matches no file") as caught:
        job.execute()
    assert caught.value.run_log.job.status == "FAIL"
    assert caught.value.run_log.job.attempts[0].status == "FAIL"


def test_settings_that_a_job_refuses(in_memory):
    with pytest.raises(DefinitionError, match="cannot get files"):
        PythonJob(function=work, catalog=Catalog(get=["x"]))
    with pytest.raises(SettingsError, match="retries"):
        PythonJob(function=work, retries=-1)
    with pytest.raises(ParameterMissingError, match="needs parameter 'x'"):
        PythonJob(function=work).execute(services=in_memory)
    with pytest.raises(ConfigurationError, match="no job_executor of type 'nowhere'"):
        PythonJob(function=work).execute(
            parameters={"x": 1}, services={"job_executor": {"type": "nowhere"}}
        )


def test_one_file_configures_pipelines_and_jobs(in_memory):
    Path("c.yaml").write_text(
        "pipeline-executor: {type: local, config: {max_workers: 2}}\n"
        "job-executor: {type: local}\n"
        "run-log-store: {type: memory}\n"
    )
    run_log = PythonJob(function=lambda: 1, returns=["x"]).execute(config="c.yaml")
    assert run_log.run_config["configuration_file"] == "c.yaml"
    assert not Path(".run_log_store").exists()


def test_a_script_with_a_failing_job_exits_with_one():
    Path("job.py").write_text(
        "from runnable import ShellJob\nShellJob(command='exit 7').execute()\n"
    )
    finished = subprocess.run(
        [sys.executable, "job.py"], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    assert "exited with 7" in finished.stderr
