"""What users of 0.50 rely on in a day's work: parts, providers, commands, old logs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import runnable

from runnable import PythonJob, PythonTask, get_run_log, list_runs
from runnable.exceptions import (
    ConfigurationError,
    DefinitionError,
    RunLogExistsError,
)

FLOWS = """
import os
from runnable import Map, Pipeline, PythonTask

def pid():
    return os.getpid()

def item(chunk):
    return 10 * chunk

def main():
    steps = [PythonTask(name=n, function=pid, returns=[n]) for n in ("a", "b")]
    pipeline = Pipeline(steps=steps)
    pipeline.execute()
    return pipeline

def mapped():
    branch = PythonTask(name="one", function=item, returns=["ten"]).as_pipeline()
    step = Map(name="each", branch=branch, iterate_on="chunks", iterate_as="chunk")
    pipeline = Pipeline(steps=[step])
    pipeline.execute()
    return pipeline
"""


@pytest.fixture(autouse=True)
def package():
    Path("app").mkdir()
    Path("app/__init__.py").touch()
    Path("app/flows.py").write_text(FLOWS)


def test_the_emulator_runs_a_pipeline_of_an_importable_module():
    Path("runnable-config.yaml").write_text("pipeline-executor: {type: emulator}\n")
    subprocess.run(
        [sys.executable, "-c", "import app.flows; app.flows.main()"],
        env={**os.environ, "RUNNABLE_RUN_ID": "r1"},
        check=True,
        capture_output=True,
    )
    values = {it.value for it in get_run_log("r1").parameters.values()}
    assert len(values) == 2


def test_a_configured_provider_gets_spans_whatever_its_class_is_called():
    code = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

class ProxyTracerProvider(trace.TracerProvider):
    def __init__(self, inner): self.inner = inner
    def get_tracer(self, *given, **named): return self.inner.get_tracer(*given, **named)

exporter, inner = InMemorySpanExporter(), TracerProvider()
inner.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(ProxyTracerProvider(inner))
import app.flows
app.flows.main()
print(len(exporter.get_finished_spans()) > 2)
"""
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert finished.stdout.splitlines()[-1] == "True"


def test_commands_of_manifests_for_items_that_are_numbers():
    Path("p.yaml").write_text("chunks: [1, 2]\n")
    more = ["--mode", "python", "-p", "p.yaml"]
    step = "each.map_variable_placeholder.one"
    opened = runnable("fan", "r1", "each", "app.flows.mapped", "out", *more)
    assert opened.stdout.split() == ["each.1", "each.2"] or "1" in opened.stdout
    for chunk in ("1", "2"):
        variable = {"map_variable": {"chunk": {"value": chunk}}, "loop_variable": []}
        for name in (step, "each.map_variable_placeholder.success"):
            finished = runnable(
                *("execute-single-node", "r1", "app.flows.mapped", name, *more),
                *("--iter-variable", json.dumps(variable)),
            )
            assert finished.returncode == 0, finished.stderr
    assert (
        runnable("fan", "r1", "each", "app.flows.mapped", "in", *more).returncode == 0
    )
    last = runnable("execute-single-node", "r1", "app.flows.mapped", "success", *more)
    assert last.returncode == 0, last.stderr
    run_log = get_run_log("r1")
    assert (run_log.status, run_log.parameters["ten"].value) == ("SUCCESS", [10, 20])


def test_a_run_log_of_the_chunked_store():
    Path(".run_log_store/old").mkdir(parents=True)
    step = {"name": "m", "internal_name": "m", "step_type": "map", "branches": {}}
    run = {"run_id": "old", "status": "SUCCESS", "steps": {"m": step}}
    Path(".run_log_store/old/RunLog.json").write_text(json.dumps(run))
    branch = {"internal_name": "m.1", "status": "SUCCESS", "steps": {}}
    Path(".run_log_store/old/BranchLog-m.1.json").write_text(json.dumps(branch))
    assert get_run_log("old").steps["m"].branches["m.1"].status == "SUCCESS"
    assert [run.run_id for run in list_runs()] == ["old"]


def test_a_code_identity_by_the_environment(monkeypatch):
    monkeypatch.setenv("RUNNABLE_CODE_ID_DOCKER_IMAGE_DIGEST", "sha256:abc")
    monkeypatch.setenv("RUNNABLE_CODE_ID_ARGO_WORKFLOW_UID", "1-2-3")
    run_log = (
        PythonTask(name="s", function=len)
        .as_pipeline()
        .execute(run_id="r1", parameters={"obj": []})
    )
    found = {
        it.code_identifier_type: it.code_identifier
        for it in run_log.steps["s"].attempts[0].code_identities
    }
    assert (found["docker"], found["argo"]) == ("sha256:abc", "1-2-3")
    shown = runnable("runs", "show", "r1").stdout
    assert "image     sha256:abc" in shown
    assert "workflow  1-2-3" in shown


# What the migration page says of each other difference.


def fails():
    raise ValueError("it is run")


def test_a_mocked_job():
    executor = {"type": "local", "config": {"mock": True}}
    job = PythonJob(function=fails, returns=["x"], catalog={"put": ["never.txt"]})
    run_log = job.execute(services={"job_executor": executor})
    assert run_log.job.status == "SUCCESS"
    assert run_log.job.attempts[0].output_parameters == {}
    assert run_log.job.data_catalog == [] or all(
        it.name.endswith(".log") for it in run_log.job.data_catalog
    )


def test_a_patch_of_a_step_that_is_not_there():
    executor = {"type": "mocked", "config": {"patches": {"sss": {"command": "m.f"}}}}
    step = PythonTask(name="s", function=fails)
    with pytest.raises(ConfigurationError, match="no task or stub 'sss'"):
        step.as_pipeline().execute(services={"pipeline_executor": executor})


def test_overrides_are_text():
    with pytest.raises(ValueError, match=r"overrides\.local: Input"):
        PythonTask(name="s", function=fails, overrides={"local": 3})


def test_an_invalid_pipeline_is_a_definition_error_and_a_value_error():
    for error in (DefinitionError, ValueError):
        with pytest.raises(error):
            PythonTask(name="s", function=fails, retries=-1)


def test_main_called_twice_with_one_run_id(monkeypatch):
    monkeypatch.setenv("RUNNABLE_RUN_ID", "r1")
    monkeypatch.syspath_prepend(os.getcwd())
    pipeline = PythonTask(name="s", function=len).as_pipeline()
    pipeline.execute(parameters={"obj": []})
    with pytest.raises(RunLogExistsError):
        pipeline.execute(parameters={"obj": []})
    assert get_run_log("r1").status == "SUCCESS"


def test_a_secret_that_is_returned_is_masked(monkeypatch):
    monkeypatch.setenv("TOKEN", "correct-horse-staple")
    step = PythonTask(
        name="s",
        function=lambda: os.environ["TOKEN"],
        returns=["x"],
        secrets=["TOKEN"],
    )
    step.as_pipeline().execute(run_id="r1")
    assert "correct-horse" not in Path(".run_log_store/r1.json").read_text()
    assert get_run_log("r1").parameters["x"].value == "***"
