"""The task of a step: its scope, its secrets, and the result that is reused."""

import os
from pathlib import Path

import pytest

from runnable import (
    ExecutionFailedError,
    Pipeline,
    PythonTask,
    ShellTask,
    Stub,
    load_pipeline,
)
from runnable.exceptions import PipelineFileError


def test_the_environment_of_a_step_is_its_own(in_memory, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cr3t-value")
    seen = {}

    def look(name):
        seen[name] = (
            os.environ.get("TOKEN"),
            os.environ["RUNNABLE_STEP_ATTEMPT"],
            os.environ["RUNNABLE_RUN_ID"],
        )

    monkeypatch.delenv("TOKEN")
    services = {**in_memory, "secrets": {"type": "env-secrets"}}
    monkeypatch.setenv("OTHER", "o7her-value")
    steps = [
        PythonTask(name="a", function=lambda: look("a"), secrets=["OTHER"]),
        PythonTask(name="b", function=lambda: look("b")),
    ]
    Pipeline(steps=steps).execute(run_id="r1", services=services)
    assert seen == {"a": (None, "1", "r1"), "b": (None, "1", "r1")}
    assert "RUNNABLE_ATTEMPT_NUMBER" not in os.environ


def test_a_missing_secret_fails_its_step_by_name(in_memory):
    services = {**in_memory, "secrets": {"type": "env-secrets"}}
    task = ShellTask(name="s", command="true", secrets=["NOT_THERE"])
    with pytest.raises(ExecutionFailedError, match="NOT_THERE"):
        task.as_pipeline().execute(services=services)


def test_a_stub_runs_nothing_and_succeeds(in_memory):
    run_log = Pipeline(steps=[Stub(name="s")]).execute(services=in_memory)
    assert run_log.steps["s"].status == "SUCCESS"


def test_a_step_whose_result_is_known_is_not_called_again():
    def work(x):
        with open("calls.txt", "a", encoding="utf-8") as file:
            file.write("called\n")
        return x + 1

    task = PythonTask(name="s", function=work, returns=["y"], cache=True)
    for _ in range(2):
        run_log = task.as_pipeline().execute(parameters={"x": 1})
    assert Path("calls.txt").read_text() == "called\n"
    assert run_log.parameters["y"].value == 2


def test_a_task_that_cannot_be_run_is_refused(in_memory):
    Path("p.yaml").write_text(
        "dag: {start_at: s, steps: {s: {type: task, command: nowhere.f, "
        "next: success}}}"
    )
    with pytest.raises(PipelineFileError, match=r"no function 'nowhere\.f'"):
        load_pipeline("p.yaml").execute(services=in_memory)
