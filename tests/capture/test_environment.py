"""The environment as the code of a step sees it."""

import os
import subprocess
import sys
import unittest.mock
from concurrent.futures import ThreadPoolExecutor

import pytest

from runnable import Pipeline, PythonTask
from runnable.capture import active_run
from runnable.secrets import BaseSecrets


def run(function, in_memory, **more):
    pipeline = Pipeline(
        steps=[PythonTask(name="s", function=function, returns=["r"], **more)]
    )
    return pipeline.execute(run_id="r1", services=in_memory).parameters["r"].value


def test_a_step_may_change_its_own_variables_and_the_real_ones(in_memory, monkeypatch):
    monkeypatch.setenv("TOKEN", "secret")
    monkeypatch.setenv("MINE", "before")
    count = len(os.environ)

    def change():
        assert len(os.environ) == count + 2
        os.environ["TOKEN"] = "changed here"
        os.environ["MINE"] = "changed everywhere"
        del os.environ["RUNNABLE_RUN_ID"]
        assert "RUNNABLE_RUN_ID" not in os.environ
        with pytest.raises(KeyError):
            del os.environ["NOT_THERE"]
        return os.environ["TOKEN"]

    assert run(change, in_memory, secrets=["TOKEN"]) == "changed here"
    assert os.environ["TOKEN"] == "secret"
    assert os.environ["MINE"] == "changed everywhere"


def test_children_get_the_variables_on_request(in_memory):
    code = "import os; print(os.environ.get('RUNNABLE_RUN_ID'))"

    def child(env):
        return subprocess.run(
            [sys.executable, "-c", code],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()

    def both():
        return [child(None), child(os.environ.copy())]

    assert run(both, in_memory) == ["None", "r1"]


def test_the_overlay_is_there_while_runs_are_active_only():
    kind = type(os.environ)
    with active_run():
        with active_run():
            pass
        assert type(os.environ) is not kind
        assert isinstance(os.environ, kind)
    assert type(os.environ) is kind


@pytest.mark.parametrize("in_step", [True, False])
def test_a_patch_of_the_environment_that_outlives_its_step(in_step, monkeypatch):
    """What `mock.patch.dict` restores later holds no variable of the step."""
    monkeypatch.setenv("TOKEN", "real-token")
    patch = unittest.mock.patch.dict(os.environ, {"PATCHED": "1"})
    seen = {}

    def start():
        patch.start()
        seen.update(os.environ.copy())

    def stop():
        patch.stop()

    before = dict(os.environ)
    task = PythonTask(name="s", function=start, secrets=["TOKEN"])
    task.as_pipeline().execute(run_id="r1")
    if in_step:
        PythonTask(name="t", function=stop).as_pipeline().execute(run_id="r2")
    else:
        stop()
    assert dict(os.environ) == before
    assert seen["RUNNABLE_RUN_ID"] == "r1"
    assert "RUNNABLE_RUN_ID" not in os.environ


def test_a_copy_of_the_environment_is_usable_in_threads_of_the_task(in_memory):
    def look():
        copy = os.environ.copy()
        copy["MINE"] = "1"
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(lambda: (copy["MINE"], copy["RUNNABLE_RUN_ID"]))
            return list(future.result())

    assert run(look, in_memory) == ["1", "r1"]


def test_a_patch_that_a_later_step_stops_restores_no_secret(monkeypatch):
    patch = unittest.mock.patch.dict(os.environ, {"PATCHED": "1"})
    before = dict(os.environ)
    first = PythonTask(name="a", function=patch.start, secrets=["SECRET_OF_A"])
    second = PythonTask(name="b", function=patch.stop)

    class Secrets(BaseSecrets):
        service_name: str = "of-a-test"

        def get(self, name):
            return "secret-of-a"

    Pipeline(steps=[first, second]).execute(services={"secrets": Secrets()})
    assert dict(os.environ) == before


def test_a_copy_of_the_environment_is_what_the_step_sees(monkeypatch):
    monkeypatch.setenv("TOKEN", "real-token")

    def look():
        copy = os.environ.copy()
        child = subprocess.run(
            [sys.executable, "-c", "import os; print(os.environ['RUNNABLE_RUN_ID'])"],
            env=copy,
            text=True,
            capture_output=True,
            check=True,
        ).stdout.strip()
        same = copy == dict(copy) == {**copy} == dict(copy.items()) == dict(os.environ)
        return [child, copy["TOKEN"] == "real-token", same, len(copy) == len([*copy])]

    task = PythonTask(name="s", function=look, returns=["x"], secrets=["TOKEN"])
    run_log = task.as_pipeline().execute(run_id="r1")
    assert run_log.parameters["x"].value == ["r1", True, True, True]
