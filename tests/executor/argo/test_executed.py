"""Workflows of Argo, run by an interpreter: what its pods do, and what is recorded."""

import subprocess
import sys
import textwrap

import pytest
import yaml

from runnable import get_run_log
from tests.support.argo_interpreter import Interpreter

HEADER = """
import os, signal
from pathlib import Path
from runnable import *

def said(text):
    with open("said.txt", "a") as file:
        file.write(text + "\\n")

def once(name):
    first = not Path(name).exists()
    Path(name).touch()
    return first

def task(function, *returns, **more):
    return PythonTask(name=function.__name__, function=function, returns=list(returns), **more)

def die():
    os.kill(os.getpid(), signal.SIGKILL)
"""


RENDER = (sys.executable, "-m", "runnable.cli", "argo", "render")


@pytest.fixture
def argo(tmp_path):
    """Render the pipeline of a script, and make what runs its workflow."""

    def make(code="", config=(), arguments=(), **more):
        if code:
            (tmp_path / "flow.py").write_text(HEADER + textwrap.dedent(code))
        settings = {
            "defaults": {"image": "flows:1"},
            "argo_workflow": {"metadata": {"generate_name": "flow-"}},
            "pvc_for_runnable": "stores",
            **dict(config),
        }
        executor = {"type": "argo", "config": settings}
        text = yaml.safe_dump({"pipeline-executor": executor})
        (tmp_path / "argo.yaml").write_text(text)
        done = subprocess.run(
            [*RENDER, "flow.py:build", "-c", "argo.yaml", "-o", "-"],
            check=True,
            capture_output=True,
            text=True,
        )
        stores = tmp_path / "stores"
        stores.mkdir(exist_ok=True)
        manifest = yaml.safe_load(done.stdout)
        claims = {"stores": str(stores)}
        return Interpreter(
            manifest, tmp_path, claims, arguments=dict(arguments), **more
        )

    return make


def log_of(run_id):
    return get_run_log(run_id, services=STORES)


STORES = {
    "run_log_store": {
        "type": "file-system",
        "config": {"log_folder": "stores/run_logs"},
    }
}


def said():
    with open("said.txt") as file:
        return file.read().split()


def names(workflow):
    return [it.template for it in workflow.pods]


def test_a_step_that_fails_ends_the_run(argo):
    workflow = argo("""
    def good():
        said("good")
    def bad():
        raise ValueError("it is bad")
    def never():
        said("never")
    def build():
        return Pipeline(steps=[task(good), task(bad), task(never)])
    """)
    assert workflow.run() == "Failed"
    assert names(workflow) == ["good", "bad", "end-run"]
    assert "ValueError: it is bad" in workflow.pods[1].said
    log = log_of(workflow.name)
    assert log.status == "FAIL"
    attempt = log.steps["bad"].attempts[0]
    assert "it is bad" in attempt.message
    assert said() == ["good"]


def test_a_killed_step_takes_its_failure_path(argo):
    workflow = argo("""
    def killed():
        die()
    def recover():
        return 7
    def last(x):
        said(f"last-{x}")
    def build():
        first = task(killed)
        first.on_failure = Pipeline(steps=[task(recover, "x")])
        branch = Pipeline(steps=[first, Stub(name="after")])
        both = Parallel(name="both", branches={"a": branch, "b": Pipeline(steps=[Stub(name="s")])})
        return Pipeline(steps=[both, task(last)])
    """)
    assert workflow.run() == "Succeeded", [it.said for it in workflow.pods]
    log = log_of(workflow.name)
    assert log.status == "SUCCESS"
    step = log.steps["both"].branches["both.a"].steps["both.a.killed"]
    assert step.status == "FAIL"
    assert "has recorded no end" in step.attempts[0].message
    assert said() == ["last-7"]
    assert "end-run" not in names(workflow)


def test_a_killed_branch_fails_its_step(argo):
    workflow = argo("""
    def items():
        return [1, 2, 3]
    def work(x):
        if x == 2 and once("killed"):
            die()
        said(str(x))
        return x
    def total(y):
        said(str(sum(y)))
    def build():
        branch = task(work, "y").as_pipeline()
        m = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
        return Pipeline(steps=[task(items, "xs"), m, task(total)])
    """)
    assert workflow.run() == "Failed"
    log = log_of(workflow.name)
    assert log.status == log.steps["m"].status == "FAIL"
    branches = log.steps["m"].branches
    assert [it.status for it in branches.values()] == ["SUCCESS", "FAIL", "SUCCESS"]
    assert sorted(said()) == ["1", "3"]
    # The same file goes on with the run: what has succeeded is not run again.
    arguments = {"run_id": workflow.name, "retry_run_id": workflow.name}
    again = argo(arguments=arguments)
    assert again.run() == "Succeeded", [it.said for it in again.pods]
    assert log_of(workflow.name).status == "SUCCESS"
    assert sorted(said()) == ["1", "2", "3", "6"]
    assert names(again).count("m-work") == 1


def test_a_pod_that_does_not_start_is_said(argo):
    workflow = argo(
        """
    def one():
        pass
    def two():
        pass
    def build():
        return Pipeline(steps=[task(one), task(two)])
    """,
        doomed=lambda template: template == "two",
    )
    assert workflow.run() == "Error"
    log = log_of(workflow.name)
    assert log.status == "FAIL"
    assert "did not start" in log.steps["two"].attempts[0].message


def test_I05_I06_argo_tries_a_pod_again(argo):
    workflow = argo(
        """
    def fragile():
        if once("first"):
            raise ValueError("the first time")
        if once("second"):
            die()
        return 5
    def build():
        return Pipeline(steps=[task(fragile, "x"), Stub(name="s")])
    """,
        config={"defaults": {"image": "a", "retry_strategy": {"limit": 3}}},
    )
    assert workflow.run() == "Succeeded", [it.said for it in workflow.pods]
    log = log_of(workflow.name)
    assert log.status == "SUCCESS"
    assert [it.status for it in log.steps["fragile"].attempts][::2] == [
        "FAIL",
        "SUCCESS",
    ]
    assert names(workflow) == ["fragile", "fragile", "fragile", "s"]


def test_a_run_id_is_used_once(argo):
    code = """
    def work():
        said("work")
        return 1
    def build():
        return Pipeline(steps=[task(work, "x")])
    """
    first = argo(code, arguments={"run_id": "mine"})
    assert first.run() == "Succeeded"
    before = log_of("mine")
    second = argo(arguments={"run_id": "mine"})
    assert second.run() == "Failed"
    assert "exists already" in second.pods[0].said
    assert "neither begun nor resumed" in second.pods[1].said
    assert log_of("mine") == before
    assert said() == ["work"]


def test_each_start_of_a_schedule_is_a_run_of_its_own(argo):
    code = """
    def work(xs):
        said(str(len(xs)))
    def build():
        items = PythonTask(name="items", function=lambda: [1, 2], returns=["xs"])
        return Pipeline(steps=[items, task(work)])
    """
    config = {"cron_schedule": {"schedules": ["* * * * *"]}}
    for _ in range(2):
        workflow = argo(code, config=config)
        assert workflow.run() == "Succeeded"
        assert log_of(workflow.name).status == "SUCCESS"
    assert said() == ["2", "2"]


def test_a_pipeline_that_is_to_fail_fails(argo):
    workflow = argo("""
    def bad():
        raise ValueError("bad")
    def clean():
        said("clean")
    def build():
        first = task(bad)
        first.on_failure = Pipeline(steps=[task(clean, terminate_with_failure=True)])
        return Pipeline(steps=[first])
    """)
    assert workflow.run() == "Failed"
    assert log_of(workflow.name).status == "FAIL"
    assert said() == ["clean"]


def test_loops_of_maps_and_names_of_all_kinds(argo):
    workflow = argo("""
    def turn(number):
        return number >= 1, [f"{number}-a", {"$(x)": "{{y}}"}]
    def item(thing):
        said(repr(thing).replace(" ", ""))
    def build():
        step = PythonTask(name="-it's a step ü (2)", function=item)
        m = Map(name="in", branch=step.as_pipeline(), iterate_on="xs", iterate_as="thing")
        loop = Loop(
            name="2nd $HOME", branch=Pipeline(steps=[task(turn, "done", "xs"), m]),
            max_iterations=5, break_on="done", index_as="number",
        )
        return Pipeline(steps=[loop])
    """)
    assert workflow.run() == "Succeeded", [it.said for it in workflow.pods]
    assert sorted(said()) == ["'0-a'", "'1-a'", *["{'$(x)':'{{y}}'}"] * 2]
    log = log_of(workflow.name)
    assert log.status == "SUCCESS"
    assert len(log.steps["2nd $HOME"].branches) == 2


def test_a_workflow_leaves_the_runs_of_others_alone(argo):
    code = """
    def fragile():
        said("fragile")
    def recover():
        said("recover")
    def last():
        said("last")
    def build():
        first = task(fragile)
        first.on_failure = Pipeline(steps=[task(recover)])
        return Pipeline(steps=[first, task(last)])
    """
    killed = argo(
        code, arguments={"run_id": "daily"}, doomed=lambda it: it != "fragile"
    )
    assert killed.run() == "Error"
    before = log_of("daily")
    assert before.status == "PROCESSING"
    other = argo(arguments={"run_id": "daily"})
    assert other.run() == "Failed"
    assert log_of("daily") == before
    assert said() == ["fragile"]


def test_pods_that_repeat_a_failure_are_not_tried_again(argo):
    workflow = argo(
        """
    def bad(x):
        raise ValueError("bad")
    def build():
        branch = task(bad).as_pipeline()
        items = PythonTask(name="items", function=lambda: [1], returns=["xs"])
        m = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
        return Pipeline(steps=[items, m])
    """,
        config={"defaults": {"image": "a", "retry_strategy": {"limit": 1}}},
    )
    assert workflow.run() == "Failed"
    assert names(workflow).count("m-bad") == 2
    assert names(workflow)[-2:] == ["m-fan-in", "end-run"]
