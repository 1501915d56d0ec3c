"""The pytest plugin, in test sessions of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import datetime as dt
import threading
from pathlib import Path

import pytest

from runnable import (
    Catalog, Map, Parallel, Pipeline, Provide, PythonTask, inject, metric, pickled
)
from runnable.datastore import RunStarted, StepFinished
from runnable.exceptions import NodeNotFoundError
from runnable.secrets import BaseSecrets
from runnable.testing import (
    assert_failed, assert_outputs, assert_ran, assert_succeeded, mocked, replaced
)


def load(): return [3, 1, 2]
def fit(rows): raise RuntimeError("takes a day")
def score(model, x): return model["best"] + x


def write():
    Path("out.txt").write_text("kept")


PIPELINE = Pipeline(
    steps=[
        PythonTask(name="load", function=load, returns=["rows"]),
        PythonTask(name="fit", function=fit, returns=[pickled("model")]),
        Map(
            name="each",
            iterate_on="rows",
            iterate_as="x",
            branch=PythonTask(
                name="score", function=score, returns=[metric("total")]
            ).as_pipeline(),
        ),
    ],
    name="training",
)


def test_with_another_function(run_pipeline):
    run_log = run_pipeline(PIPELINE, functions={"fit": lambda rows: {"best": max(rows)}})
    assert_ran(run_log, "load", "fit", "each.3.score", "each.1.score", "each.2.score")
    assert_outputs(run_log, "fit", {"model": {"best": 3}})
    assert run_log.parameters["total"].value == [6, 4, 5]


def test_that_it_fails(run_pipeline):
    run_log = run_pipeline(PIPELINE, fails=True)
    assert_failed(run_log, at="fit", message="takes a day")


def test_one_step(run_step):
    assert run_step(PIPELINE, "load").outputs == {"rows": [3, 1, 2]}
    given = {"model": {"best": 1}, "x": 2}
    assert run_step(PIPELINE, "each.any.score", given).outputs == {"total": 3}
    result = run_step(PIPELINE, "fit", {"rows": []}, fails=True)
    assert_failed(result.run_log, "fit", "takes a day")
    with pytest.raises(NodeNotFoundError, match="Did you mean 'load'"):
        run_step(PIPELINE, "laod")


@inject
def whose(*, secrets: BaseSecrets = Provide["secrets"]):
    return secrets.get("TOKEN")


class Fake(BaseSecrets):
    name: str

    def get(self, name):
        return self.name


@pytest.mark.parametrize("name", ["ada", "bob", "eve"])
def test_a_service_is_overridden(run_container, run_pipeline, name):
    pipeline = PythonTask(name="s", function=whose, returns=["x"]).as_pipeline()
    with run_container.secrets.override(Fake(name=name + " has it")):
        run_log = run_pipeline(pipeline)
    assert run_log.parameters["x"].get_value() in {"***", name + " has it"}


def test_the_clock_stands(frozen_clock, run_pipeline):
    def work():
        frozen_clock.tick(90)

    run_log = run_pipeline(PythonTask(name="s", function=work).as_pipeline())
    attempt = run_log.steps["s"].attempts[0]
    began = dt.datetime.fromisoformat(attempt.start_time)
    assert began == dt.datetime(2026, 1, 31, 10).astimezone()
    assert attempt.duration == dt.timedelta(seconds=90)


def test_retries_do_not_wait(frozen_clock, run_pipeline):
    step = PythonTask(
        name="s", function=lambda: 1 / 0, retries=2, retry_delay=3600
    ).as_pipeline()
    run_log = run_pipeline(step, fails=True)
    attempts = run_log.steps["s"].attempts
    starts = [dt.datetime.fromisoformat(it.start_time).astimezone() for it in attempts]
    assert [it.hour for it in starts] == [10, 11, 12]


def test_secrets_are_those_of_the_environment(run_pipeline, run_step, monkeypatch):
    pipeline = PythonTask(name="s", function=whose, returns=["x"]).as_pipeline()
    assert_failed(run_pipeline(pipeline, fails=True), "s", "TOKEN")
    monkeypatch.setenv("TOKEN", "abc")
    result = run_step(pipeline, "s")
    assert (result.status, result.outputs) == ("SUCCESS", {"x": "abc"})


def test_surrounding_files_and_variables_do_not_count(run_pipeline, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("runnable-config.yaml").write_text("pipeline-executor: {type: mocked}")
    for name in ("RUN_ID", "RETRY_RUN_ID", "PARAMETERS_FILE", "PRM_rows"):
        monkeypatch.setenv(f"RUNNABLE_{name}", "nowhere")
    pipeline = PythonTask(name="s", function=load, returns=["x"]).as_pipeline()
    for _ in range(2):
        run_log = run_pipeline(pipeline)
        assert run_log.parameters["x"].value == [3, 1, 2]
        assert list(run_log.parameters) == ["x"]


def test_events_are_there(run_events, run_pipeline):
    run_pipeline(PythonTask(name="s", function=load, returns=["x"]).as_pipeline())
    assert isinstance(run_events[0], RunStarted)
    ended = [it for it in run_events if isinstance(it, StepFinished)]
    assert [it.path for it in ended] == ["s", "success"]


def test_mocked(run_pipeline):
    executor = mocked(load=lambda: [1], fit=lambda rows: 2, score=lambda model, x: x)
    run_log = run_pipeline(PIPELINE, services={"pipeline_executor": executor})
    assert run_log.parameters["total"].value == [1]


def test_files_are_elsewhere(run_pipeline, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    step = PythonTask(name="s", function=write, catalog=Catalog(put=["*.txt"]))
    run_log = run_pipeline(step.as_pipeline())
    assert run_log.steps["s"].data_catalog[0].name == "out.txt"
    assert [it.name for it in tmp_path.iterdir()] == ["out.txt"]
"""
FAILING = """
from runnable import Pipeline, PythonTask
from runnable.testing import assert_failed, assert_outputs, assert_ran


def one(): return 1


def pipeline(function):
    return PythonTask(name="s", function=function, returns=["x"]).as_pipeline()


def test_status(run_pipeline):
    run_pipeline(pipeline(lambda: 1 / 0))


def test_no_failure(run_pipeline):
    run_pipeline(pipeline(one), fails=True)


def test_outputs(run_pipeline):
    assert_outputs(run_pipeline(pipeline(one)), "s", {"x": 2, "y": 3})


def test_ran(run_pipeline):
    assert_ran(run_pipeline(pipeline(one)), "s", "t")


def test_equal(run_pipeline):
    assert run_pipeline(pipeline(one)) == run_pipeline(pipeline(lambda: 2))
"""


def run(text, *arguments):
    Path("test_mine.py").write_text(text)
    Path("pytest.ini").write_text("[pytest]\n")
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-W", "error"),
            *("-p", "no:asyncio", *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("arguments", [(), ("-n", "2")])
def test_the_fixtures(arguments):
    finished = run(TESTS, "-p", "no:cacheprovider", *arguments)
    assert finished.returncode == 0, finished.stdout
    assert "13 passed" in finished.stdout
    left = {it.name for it in Path.cwd().iterdir()} - {"__pycache__"}
    assert left == {"test_mine.py", "pytest.ini"}


def test_failures_name_their_cause():
    shown = run(FAILING).stdout
    for text in (
        "the run has not succeeded: s: ZeroDivisionError: division by zero",
        "the run has not failed, it is SUCCESS",
        "x: expected 2, got 1",
        "y: expected 3, got nothing",
        "missing:  ['t']",
        "parameter x: 1 != 2",
        "5 failed",
    ):
        assert text in shown, text
    assert "def assert_" not in shown  # where the helpers are is not of interest


def test_in_eight_threads(run_container):
    """As test runners do that run tests in threads."""
    from concurrent.futures import ThreadPoolExecutor

    from containers.in_memory import in_memory_container
    from runnable import PythonTask
    from runnable.secrets import BaseSecrets

    class Fake(BaseSecrets):
        name: str

        def get(self, name: str) -> str:
            return self.name

    def one(number):
        container = in_memory_container(Path.cwd)

        def ask():
            import os

            return len(os.environ["TOKEN"])

        step = PythonTask(name="s", function=ask, returns=["x"], secrets=["TOKEN"])
        for _ in range(20):
            with container.secrets.override(Fake(name="x" * (10 + number))):
                run_log = step.as_pipeline().execute(container=container)
            assert run_log.parameters["x"].value == 10 + number
        return len(container.run_log_store().list_run_ids())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(8))) == [20] * 8
    assert run_container.run_log_store().list_run_ids() == []


def test_a_session_that_uses_no_fixture_pays_for_none():
    code = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import runnable.testing.plugin\n"
        "print(*{it.partition('.')[0] for it in set(sys.modules) - before})"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    assert not {"pydantic", "dependency_injector", "yaml"} & set(
        finished.stdout.split()
    )


def test_making_a_container_calls_few_functions():
    """Counted, not timed: the count is the same on every machine."""
    from containers.in_memory import in_memory_container

    in_memory_container(Path.cwd)  # imports are made once
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        in_memory_container(Path.cwd)
    finally:
        sys.setprofile(None)
    assert 0 < calls < 2000
