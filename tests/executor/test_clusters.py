"""Steps and chunks of branches on clusters: the same for every one of them.

Each cluster is real: the executor starts it on this machine.
"""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from runnable import (
    Catalog,
    ExecutionFailedError,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    ShellTask,
    get_run_log,
    pickled,
)
from runnable.exceptions import ConfigurationError
from tests.support import clusters
from tests.support.gates import wait_until

CLUSTERS = [pytest.param(it, marks=clusters.needs(it)) for it in clusters.KINDS]


@pytest.fixture(params=CLUSTERS)
def executor(request):
    """The configuration of an executor, whose cluster other tests use as well."""
    return clusters.executor(request.param)


@pytest.fixture
def services(executor):
    return {"pipeline_executor": executor}


def mapped(function, *returns, **more):
    task = PythonTask(name="s", function=function, returns=list(returns), **more)
    return Map(name="m", branch=task.as_pipeline(), iterate_on="xs", iterate_as="x")


def test_a_run_is_as_it_would_be_here(services, capsys):
    def prepare():
        print("prepared")
        return list(range(100))

    def work(x):
        if x == 42:
            print("at forty-two")
        return x * x

    def collect(y):
        return {"sum": sum(y), "text": "ä\ud7ff\n"}

    steps = [
        PythonTask(name="prepare", function=prepare, returns=["xs"]),
        mapped(work, "y"),
        PythonTask(name="collect", function=collect, returns=["result"]),
    ]
    here = Pipeline(steps=steps).execute()
    assert capsys.readouterr().out == "prepared\nat forty-two\n"
    there = Pipeline(steps=steps).execute(services=services)
    assert capsys.readouterr().out == "prepared\nat forty-two\n"
    assert there.parameters == here.parameters
    assert described(there) == described(here)


def described(log):
    """Return the steps of a run log, with what must not depend on the place."""
    return {
        path: (step.status, len(step.attempts), sorted(step.branches))
        for path, step in log.steps.items()
    }


def test_whole_steps_and_branches_run_in_other_processes(services):
    def pid():
        return os.getpid()

    task = PythonTask(name="s", function=pid, returns=["pid"])
    both = Parallel(
        name="p", branches={"a": task.as_pipeline(), "b": task.as_pipeline()}
    )
    log = Pipeline(steps=[task, both]).execute(services=services)
    assert log.parameters["pid"].value != os.getpid()


def test_objects_and_files(services, tmp_path):
    def make():
        Path("made.txt").write_text("made")
        return {1, 2}

    def use(things):
        return len(things) + len(Path("made.txt").read_text())

    isolated = {"workspace": "isolated"}
    first = PythonTask(
        name="first",
        function=make,
        returns=[pickled("things")],
        catalog=Catalog(put=["made.txt"]),
        **isolated,
    )
    second = PythonTask(
        name="second",
        function=use,
        returns=["n"],
        catalog=Catalog(get=["made.txt"]),
        **isolated,
    )
    log = Pipeline(steps=[first, second]).execute(services=services)
    assert log.parameters["n"].value == 6


def test_secrets_reach_the_worker_and_nobody_sees_them(services, monkeypatch, capsys):
    secret = "wrong-horse-battery"
    monkeypatch.setenv("TOKEN", secret)

    def use():
        print("it is", os.environ["TOKEN"])
        return len(os.environ["TOKEN"])

    task = PythonTask(name="s", function=use, returns=["n"], secrets=["TOKEN"])
    log = Pipeline(steps=[task]).execute(services=services)
    assert log.parameters["n"].value == len(secret)
    captured = capsys.readouterr()
    assert "it is" in captured.out
    assert secret not in captured.out + captured.err
    kept = [it for it in Path().rglob("*") if it.is_file()]
    assert not [it for it in kept if secret.encode() in it.read_bytes()]


@pytest.mark.parametrize(
    "value",
    ["$(id)", "a;b", "-rf", "{{x}}", 'it\'s "so"', "line\nline", "ü" * 50_000, "\\"],
)
def test_hostile_values_arrive_as_they_are(services, value):
    def same(value):
        return value

    task = PythonTask(name="s", function=same, returns=["got"])
    log = Pipeline(steps=[task]).execute(parameters={"value": value}, services=services)
    assert log.parameters["got"].value == value


def test_a_worker_that_dies_fails_its_step_once(services, tmp_path):
    def die(folder):
        Path(folder, f"{time.time_ns()}").touch()
        os.kill(os.getpid(), signal.SIGKILL)

    task = PythonTask(name="s", function=die)
    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=[task]).execute(
            parameters={"folder": str(tmp_path)}, services=services
        )
    assert len(list(tmp_path.glob("1*"))) == 1
    attempts = caught.value.run_log.steps["s"].attempts
    assert [it.status for it in attempts] == ["FAIL"]
    assert "worker has died" in attempts[0].message


def test_a_worker_that_dies_is_another_attempt(services, tmp_path):
    def die_once(x, folder):
        marker = Path(folder, str(x))
        if x == 7 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return x

    xs = list(range(20))
    log = Pipeline(steps=[mapped(die_once, "y", retries=2)]).execute(
        parameters={"xs": xs, "folder": str(tmp_path)}, services=services
    )
    assert log.parameters["y"].value == xs
    attempts = log.steps["m"].branches["m.7"].steps["m.7.s"].attempts
    assert [it.status for it in attempts] == ["FAIL", "SUCCESS"]
    others = log.steps["m"].branches["m.3"].steps["m.3.s"].attempts
    assert [it.status for it in others] == ["SUCCESS"]


def test_after_a_death_the_failure_path_is_taken(services):
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def rescue():
        return "rescued"

    saving = PythonTask(name="rescue", function=rescue, returns=["how"])
    task = PythonTask(name="s", function=die, on_failure=saving.as_pipeline())
    branch = Pipeline(steps=[task])
    both = Parallel(name="p", branches={"a": branch, "b": branch})
    log = Pipeline(steps=[both]).execute(services=services)
    assert log.parameters["how"].value == "rescued"


def test_a_failing_step_says_why(services):
    def fail(x):
        if x == 5:
            raise ValueError("five is right out")
        return x

    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=[mapped(fail, "y")]).execute(
            parameters={"xs": list(range(8))}, services=services
        )
    branches = caught.value.run_log.steps["m"].branches
    failed = [path for path, it in branches.items() if it.status != "SUCCESS"]
    assert failed == ["m.5"]
    assert "five is right out" in str(caught.value.__cause__.exceptions[0])


def test_ctrl_c_ends_what_runs_there(executor, tmp_path):
    script = tmp_path / "flow.py"
    script.write_text(
        textwrap.dedent(
            f"""
            import time
            from pathlib import Path
            from runnable import Pipeline, PythonTask

            def sleep(folder):
                Path(folder, "began").touch()
                try:
                    for _ in range(600):
                        time.sleep(0.1)
                finally:
                    Path(folder, "ended").touch()

            Pipeline(steps=[PythonTask(name="s", function=sleep)]).execute(
                parameters={{"folder": {str(tmp_path)!r}}},
                services={{"pipeline_executor": {executor!r}}},
                run_id="r1",
            )
            """
        )
    )
    with subprocess.Popen([sys.executable, str(script)]) as process:
        wait_until((tmp_path / "began").exists)
        process.send_signal(signal.SIGINT)
        assert process.wait(60)
    wait_until((tmp_path / "ended").exists)
    log = get_run_log("r1")
    assert log.status == "CANCELLED"
    assert log.steps["s"].attempts[-1].status == "CANCELLED"


def test_a_failed_run_is_resumed_there(services, tmp_path):
    flag = tmp_path / "flag"

    def work(x, flag):
        if x == 3 and not Path(flag).exists():
            raise ValueError("not yet")
        return x

    pipeline = Pipeline(steps=[mapped(work, "y")])
    parameters = {"xs": [1, 2, 3, 4], "flag": str(flag)}
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(parameters=parameters, services=services, run_id="r1")
    flag.touch()
    log = pipeline.execute(resume="r1", services=services)
    assert log.parameters["y"].value == [1, 2, 3, 4]
    branches = log.steps["m"].branches
    attempts = {
        path: len(it.steps[f"{path}.s"].attempts) for path, it in branches.items()
    }
    assert attempts == {"m.1": 1, "m.2": 1, "m.3": 2, "m.4": 1}


def test_many_runs_at_once_keep_apart(services):
    def look(mine):
        return mine + len(os.environ["RUNNABLE_RUN_ID"]) * 0

    results = {}

    def one(number):
        task = PythonTask(name="s", function=look, returns=["got"])
        log = Pipeline(steps=[task]).execute(
            parameters={"mine": number}, services=services
        )
        results[number] = log.parameters["got"].value

    threads = [threading.Thread(target=one, args=(it,)) for it in range(6)]
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    assert results == {it: it for it in range(6)}


def test_other_kinds_of_tasks(services):
    task = ShellTask(name="s", command="export got=$value", returns=["got"])
    log = Pipeline(steps=[task]).execute(parameters={"value": "a b"}, services=services)
    assert log.parameters["got"].value == "a b"


def test_a_store_that_workers_cannot_see(services, in_memory):
    task = PythonTask(name="s", function=print)
    with pytest.raises(ConfigurationError, match="memory"):
        Pipeline(steps=[task]).execute(services={**services, **in_memory})


def test_a_module_that_workers_cannot_import(services, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("def work():\n    return 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import only_here

    os.rename(tmp_path / "only_here.py", tmp_path / "gone.py")
    task = PythonTask(name="s", function=only_here.work, returns=["y"])
    try:
        with pytest.raises(ConfigurationError, match="cannot import only_here"):
            Pipeline(steps=[task]).execute(services=services, run_id="r1")
    finally:
        del sys.modules["only_here"]


def test_overrides_that_are_none_are_refused(executor):
    wrong = {**executor, "config": {**executor.get("config", {})}}
    wrong["config"]["overrides"] = {"big": {"memmory": 1}}
    with pytest.raises(ConfigurationError, match="memmory"):
        Pipeline(steps=[PythonTask(name="s", function=print)]).execute(
            services={"pipeline_executor": wrong}
        )
