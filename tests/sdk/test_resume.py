"""Go on with a run that has stopped."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runnable import (
    Catalog,
    Conditional,
    ExecutionFailedError,
    Loop,
    Map,
    Parallel,
    Pipeline,
    PythonJob,
    PythonTask,
    Stub,
    get_run_log,
    pickled,
)
from runnable.datastore.memory import MemoryRunLogStore
from runnable.exceptions import (
    RetryValidationError,
    RunLogContinuedError,
    RunLogNotFoundError,
)


def count(name, **values):
    """Take note of a call in a file, which outlives the process."""
    with Path(f"{name}.calls").open("a") as file:
        file.write(f"{values or ''}\n")


def calls(name):
    path = Path(f"{name}.calls")
    return len(path.read_text().splitlines()) if path.exists() else 0


def make(n):
    count("make")
    return n + 1, {"rows": [n]}


def use(m, thing):
    count("use")
    if not Path("mended").exists():
        raise ValueError("not yet")
    return m + thing["rows"][0]


def build(**more):
    return Pipeline(
        steps=[
            PythonTask(name="make", function=make, returns=["m", pickled("thing")]),
            PythonTask(name="use", function=use, returns=["total"], **more),
        ]
    )


def fail_first(pipeline=None, **more):
    with pytest.raises(ExecutionFailedError):
        (pipeline or build()).execute(run_id="r1", parameters={"n": 1}, **more)
    Path("mended").touch()


def test_a_succeeded_step_is_not_run_again():
    fail_first()
    run_log = build().execute(resume="r1")
    assert (run_log.run_id, run_log.status) == ("r1", "SUCCESS")
    assert run_log.parameters["total"].value == 3
    assert (calls("make"), calls("use")) == (1, 2)
    attempts = run_log.steps["use"].attempts
    assert [(it.attempt_number, it.status) for it in attempts] == [
        (1, "FAIL"),
        (2, "SUCCESS"),
    ]
    assert len(run_log.run_config["resumed"]) == 1
    assert get_run_log("r1").status == "SUCCESS"


async def test_the_variable_and_an_event_loop(monkeypatch):
    fail_first()
    monkeypatch.setenv("RUNNABLE_RETRY_RUN_ID", "r1")
    monkeypatch.setenv("RUNNABLE_RUN_ID", "another")
    run_log = await build().execute_async()
    assert (run_log.run_id, run_log.status) == ("r1", "SUCCESS")
    assert calls("make") == 1


def test_a_run_that_succeeded_has_nothing_left_to_do():
    Path("mended").touch()
    build().execute(run_id="r1", parameters={"n": 1})
    run_log = build().execute(resume="r1")
    assert run_log.parameters["total"].value == 3
    assert (calls("make"), calls("use")) == (1, 1)


def test_it_fails_again_and_is_resumed_again():
    fail_first()
    Path("mended").unlink()
    for number in (2, 3):
        with pytest.raises(ExecutionFailedError):
            build().execute(resume="r1")
        assert calls("use") == number
    Path("mended").touch()
    run_log = build().execute(resume="r1")
    assert [it.attempt_number for it in run_log.steps["use"].attempts] == [1, 2, 3, 4]
    assert calls("make") == 1


def test_each_resumption_has_all_its_tries():
    fail_first(build(retries=1))
    Path("mended").unlink()
    with pytest.raises(ExecutionFailedError):
        build(retries=1).execute(resume="r1")
    assert calls("use") == 4


def test_original_parameters_stay_with_a_warning(caplog):
    fail_first()
    run_log = build().execute(resume="r1", parameters={"n": 50, "other": 1})
    assert run_log.parameters["total"].value == 3
    assert "continues with its own parameters; not used: n, other" in caplog.text
    assert "not used: n, other" in run_log.run_config["resumed"][0]["message"]


def test_a_changed_graph_is_refused_with_its_differences():
    fail_first()
    changed = Pipeline(
        steps=[
            PythonTask(name="make", function=make, returns=["m", "thing"]),
            PythonTask(name="also", function=lambda: None),
            PythonTask(name="use", function=print, returns=["total"]),
        ]
    )
    with pytest.raises(RetryValidationError) as caught:
        changed.execute(resume="r1")
    text = str(caught.value)
    assert caught.value.run_id == "r1"
    assert "its pipeline has changed" in text
    assert "nodes.also is new" in text
    assert "nodes.make.next_node: 'use' became 'also'" in text
    assert "nodes.use.command: " in text
    assert "became 'builtins.print'" in text
    assert get_run_log("r1").status == "FAIL"
    # How steps run may change, and what they are called for people.
    run_log = build(retries=3, timeout_seconds=60).execute(resume="r1")
    assert run_log.status == "SUCCESS"


def test_the_error_of_a_refused_resume_has_the_reason(monkeypatch, in_memory):
    with pytest.raises(RunLogNotFoundError):
        build().execute(resume="nobody")
    fail_first()
    with pytest.raises(RetryValidationError, match="keeps its id"):
        build().execute(resume="r1", run_id="r2")
    monkeypatch.setenv("RUNNABLE_RETRY_RUN_ID", "r1")
    with pytest.raises(RetryValidationError, match="a job is one task"):
        PythonJob(function=lambda: 1).execute()


def test_objects_that_stayed_in_memory_are_gone():
    store = MemoryRunLogStore()
    services = {"run_log_store": store, "catalog": {"type": "do-nothing"}}
    fail_first(services=services)
    with pytest.raises(RetryValidationError, match="'thing', which was kept in memory"):
        build().execute(resume="r1", services=services)


def test_a_secret_that_was_not_recorded_is_not_made_up(monkeypatch):
    monkeypatch.setenv("TOKEN", "open sesame")
    steps = [
        PythonTask(
            name="s", function=lambda: os.environ["TOKEN"], returns=["t"], secrets=["TOKEN"]
        ),
        PythonTask(name="use", function=lambda t: 1 / 0),
    ]  # fmt: skip
    with pytest.raises(ExecutionFailedError):
        Pipeline(steps=steps).execute(run_id="r1")
    with pytest.raises(RetryValidationError, match="'t' with a secret in it"):
        Pipeline(steps=steps).execute(resume="r1")


def inner(x):
    count(f"inner{x}")
    if x == 2 and not Path("mended").exists():
        raise ValueError("not yet")
    return 10 * x


def nested():
    one = PythonTask(name="one", function=inner, returns=["y"])
    mapped = Map(
        name="m",
        branch=one.as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
    )
    chosen = Conditional(
        name="c",
        parameter="which",
        branches={"go": Pipeline(steps=[mapped])},
    )
    quick = PythonTask(name="quick", function=lambda: count("quick"))
    return Pipeline(
        steps=[
            Parallel(
                name="p",
                branches={"a": Pipeline(steps=[chosen]), "b": quick.as_pipeline()},
            )
        ]
    )


def test_finished_steps_of_nested_branches_are_not_run_again():
    parameters = {"xs": [1, 2, 3], "which": "go"}
    with pytest.raises(ExecutionFailedError):
        nested().execute(run_id="r1", parameters=parameters)
    Path("mended").touch()
    run_log = nested().execute(resume="r1")
    assert run_log.parameters["y"].value == [10, 20, 30]
    assert [calls(f"inner{x}") for x in (1, 2, 3)] == [1, 2, 1]
    assert calls("quick") == 1


def step_of_loop(total=0):
    count("loop")
    if total == 2 and not Path("mended").exists():
        raise ValueError("not yet")
    return total + 1, total + 1 == 4


def test_a_loop_is_resumed_in_its_iteration():
    body = PythonTask(name="s", function=step_of_loop, returns=["total", "done"])
    pipeline = Pipeline(
        steps=[
            Loop(
                name="l",
                branch=body.as_pipeline(),
                max_iterations=9,
                break_on="done",
                index_as="i",
            )
        ]
    )
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(run_id="r1")
    assert calls("loop") == 3
    Path("mended").touch()
    run_log = pipeline.execute(resume="r1")
    assert run_log.parameters["total"].value == 4
    assert calls("loop") == 5


def test_a_failure_that_was_handled_within_a_success_stays():
    def risky(x):
        count("risky")
        raise ValueError("bad")

    handle = PythonTask(name="h", function=lambda: count("handled")).as_pipeline()
    branch = Pipeline(steps=[PythonTask(name="r", function=risky, on_failure=handle)])
    steps = [
        Map(name="m", branch=branch, iterate_on="xs", iterate_as="x"),
        PythonTask(name="use", function=use_late),
    ]
    with pytest.raises(ExecutionFailedError):
        Pipeline(steps=steps).execute(run_id="r1", parameters={"xs": [1]})
    Path("mended").touch()
    Pipeline(steps=steps).execute(resume="r1")
    assert (calls("risky"), calls("handled")) == (1, 1)


def use_late():
    if not Path("mended").exists():
        raise ValueError("not yet")


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from runnable import Pipeline, PythonTask

def make():
    with open("make.calls", "a") as file: file.write("x\\n")
    return 41

def slow(m):
    Path("slow.started").touch()
    if not Path("mended").exists():
        time.sleep(60)
    return m + 1

def main():
    pipeline = Pipeline(steps=[
        PythonTask(name="make", function=make, returns=["m"]),
        PythonTask(name="slow", function=slow, returns=["total"]),
    ])
    run_log = pipeline.execute(**eval(sys.argv[1]))
    print(run_log.status, run_log.parameters["total"].value)

if __name__ == "__main__":
    main()
"""


def start(arguments):
    Path("script.py").write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    return subprocess.Popen(
        [sys.executable, "script.py", repr(arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path):
    end = time.monotonic() + 30
    while not Path(path).exists():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_live_run_is_refused_and_a_killed_one_is_resumed(number):
    first = start({"run_id": "r1"})
    wait_for("slow.started")
    second = start({"resume": "r1"})
    _, error = second.communicate(timeout=60)
    assert second.returncode != 0
    assert f"it is active: process {first.pid} on " in error
    first.send_signal(number)
    first.communicate(timeout=60)
    Path("mended").touch()
    third = start({"resume": "r1"})
    output, error = third.communicate(timeout=60)
    assert output == "SUCCESS 42\n", error
    assert calls("make") == 1


def test_a_run_of_this_process_that_is_under_way_is_refused():
    started, go_on = threading.Event(), threading.Event()

    def wait():
        started.set()
        go_on.wait(60)

    pipeline = Pipeline(steps=[PythonTask(name="s", function=wait)])
    for services in ({}, {"run_log_store": MemoryRunLogStore()}):
        started.clear()
        go_on.clear()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(pipeline.execute, run_id="r1", services=services)
            started.wait(60)
            with pytest.raises(RetryValidationError, match="is active"):
                pipeline.execute(resume="r1", services=services)
            go_on.set()
            assert running.result().status == "SUCCESS"


def test_of_many_that_resume_at_once_exactly_one_proceeds():
    fail_first()
    gate = threading.Barrier(8)

    def resume():
        gate.wait(60)
        try:
            return build().execute(resume="r1").status
        except (RetryValidationError, RunLogContinuedError) as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        ends = [pool.submit(resume) for _ in range(8)]
    # Who looks when the first one has ended finds a run that has nothing left to do.
    assert "SUCCESS" in [it.result() for it in ends]
    assert calls("use") == 2


async def test_a_cancelled_run_is_resumed():
    started = asyncio.Event()

    async def wait():
        started.set()
        if not Path("mended").exists():
            await asyncio.sleep(60)
        return 1

    pipeline = Pipeline(steps=[PythonTask(name="s", function=wait, returns=["x"])])
    running = asyncio.create_task(pipeline.execute_async(run_id="r1"))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    Path("mended").touch()
    run_log = await pipeline.execute_async(resume="r1")
    assert [it.status for it in run_log.steps["s"].attempts] == ["CANCELLED", "SUCCESS"]


def test_a_mended_step_succeeds_regardless_of_its_retries():
    """A run that has succeeded has nothing left to do."""
    calls = []

    def fail():
        calls.append("fail")
        raise ValueError("no")

    def build(retries):
        mend = Pipeline(
            steps=[PythonTask(name="mend", function=lambda: calls.append("mend"))]
        )
        return Pipeline(
            steps=[
                PythonTask(name="a", function=fail, on_failure=mend, retries=retries),
                PythonTask(name="b", function=lambda: calls.append("b")),
            ]
        )

    build(0).execute(run_id="mended")
    build(2).execute(resume="mended")
    assert calls == ["fail", "mend"]


def test_branches_called_like_settings_are_compared():
    def boom():
        raise ValueError("no")

    branches = {
        "x": PythonTask(name="s", function=boom).as_pipeline(),
        "description": Stub(name="s").as_pipeline(),
    }

    def build(*names):
        chosen = {name: branches[name] for name in names}
        return Pipeline(steps=[Parallel(name="p", branches=chosen)])

    with pytest.raises(ExecutionFailedError):
        build("x", "description").execute(run_id="named")
    with pytest.raises(RetryValidationError, match="description is gone"):
        build("x").execute(resume="named")


@pytest.mark.parametrize("resumes", [False, True])
def test_a_failed_attempt_does_not_change_its_inputs(resumes):
    tries = []

    def make():
        Path("d.csv").write_text("raw")

    def clean():
        path = Path("d.csv")
        path.write_text(path.read_text() + "+cleaned")
        Path("new.txt").write_text("why")
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")
        return path.read_text()

    pipeline = Pipeline(
        steps=[
            PythonTask(name="make", function=make, catalog=Catalog(put=["d.csv"])),
            PythonTask(
                name="clean",
                function=clean,
                returns=["text"],
                catalog=Catalog(get=["d.csv"], put=["d.csv", "new.txt"]),
                retries=0 if resumes else 2,
            ),
        ]
    )
    if resumes:
        with pytest.raises(ExecutionFailedError):
            pipeline.execute(run_id="r1")
        assert Path(".catalog/r1/new.txt").read_text() == "why"
        Path("d.csv").unlink()
        with pytest.raises(ExecutionFailedError):
            pipeline.execute(resume="r1")
        run_log = pipeline.execute(resume="r1")
    else:
        run_log = pipeline.execute(run_id="r1")
    assert run_log.parameters["text"].value == "raw+cleaned"
    assert Path(".catalog/r1/d.csv").read_text() == "raw+cleaned"
