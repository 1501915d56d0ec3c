"""Tasks with a working directory of their own, and what the catalog does there."""

import asyncio
import hashlib
import os
import signal
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runnable import (
    Catalog,
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonJob,
    PythonTask,
    ShellTask,
    Stub,
    get_run_log,
    pickled,
)
from runnable.catalog.file_system import FileSystemCatalog
from runnable.context import get_run_context
from runnable.exceptions import WorkerError

ISOLATED = {
    "pipeline_executor": {"type": "local", "config": {"workspace": "isolated"}},
    "job_executor": {"type": "local", "config": {"workspace": "isolated"}},
}


@pytest.fixture(autouse=True)
def _no_directory_is_left(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("temporary")
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


def write(n):
    Path("same.txt").write_text(str(n))
    print("working in", Path.cwd())
    return str(Path.cwd()), os.environ["RUNNABLE_CALLER_DIRECTORY"]


def writer(**more):
    return PythonTask(
        name="write",
        function=write,
        returns=["here", "caller"],
        catalog=Catalog(put=["same.txt"]),
        **more,
    )


def reader(**more):
    return ShellTask(
        name="read",
        command="export seen=$(cat same.txt)",
        returns=["seen"],
        catalog=Catalog(get=["same.txt"]),
        **more,
    )


def test_files_travel_by_the_catalog_alone():
    pipeline = Pipeline(
        steps=[writer(workspace="isolated"), reader(workspace="isolated")]
    )
    run_log = pipeline.execute(run_id="r1", parameters={"n": 3})
    assert run_log.parameters["seen"].value == 3
    assert run_log.parameters["here"].value != str(Path.cwd())
    assert run_log.parameters["caller"].value == str(Path.cwd())
    assert not Path("same.txt").exists()
    assert Path(".catalog/r1/same.txt").read_text() == "3"
    (put,) = run_log.steps["write"].data_catalog
    (got,) = run_log.steps["read"].data_catalog
    digest = hashlib.sha256(b"3").hexdigest()
    assert (put.name, put.stage, put.data_hash) == ("same.txt", "put", digest)
    assert (got.name, got.stage, got.data_hash) == ("same.txt", "get", digest)


def test_runs_at_once_that_write_the_same_name_do_not_touch_each_other():
    pipeline = Pipeline(steps=[writer(), reader()])

    def run(n):
        run_log = pipeline.execute(
            run_id=f"r{n}", parameters={"n": n}, services=ISOLATED
        )
        return run_log.parameters["seen"].value

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(run, range(8))) == list(range(8))
    assert [Path(f".catalog/r{n}/same.txt").read_text() for n in range(8)] == [
        str(n) for n in range(8)
    ]


async def test_on_an_event_loop_and_in_branches():
    step = Map(
        name="m",
        branch=Pipeline(steps=[writer(workspace="isolated")]),
        iterate_on="ns",
        iterate_as="n",
    )
    pipeline = Pipeline(steps=[step])
    logs = await asyncio.gather(
        pipeline.execute_async(run_id="a", parameters={"ns": [1, 2]}),
        pipeline.execute_async(run_id="b", parameters={"ns": [3]}),
    )
    heres = [here for log in logs for here in log.parameters["here"].value]
    assert len(set(heres)) == 3


def test_the_shared_workspace_is_the_callers():
    run_log = Pipeline(
        steps=[PythonTask(name="s", function=lambda: str(Path.cwd()), returns=["x"])]
    ).execute()
    assert run_log.parameters["x"].value == str(Path.cwd())


def test_a_task_overrides_the_workspace_of_its_executor():
    steps = [
        PythonTask(name="s", function=os.getcwd, returns=["x"], workspace="shared"),
        PythonTask(name="t", function=os.getcwd, returns=["y"]),
    ]
    run_log = Pipeline(steps=steps).execute(services=ISOLATED)
    assert run_log.parameters["x"].value == str(Path.cwd())
    assert run_log.parameters["y"].value != str(Path.cwd())


def test_objects_output_secrets_and_modules_come_along(monkeypatch, capsys):
    monkeypatch.setenv("TOKEN", "open sesame")
    Path("mine.py").write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.setattr(sys, "path", ["", *sys.path])

    def make(n):
        import os

        import mine  # from the caller's directory

        print("token", os.environ["TOKEN"])
        return {"function": lambda: mine.double(n)}

    steps = [
        PythonTask(
            name="make",
            function=make,
            returns=[pickled("made")],
            secrets=["TOKEN"],
            workspace="isolated",
        ),
        PythonTask(
            name="use", function=lambda made: sorted(made), returns=["keys"],
            workspace="isolated",
        ),
    ]  # fmt: skip
    run_log = Pipeline(steps=steps).execute(run_id="r1", parameters={"n": 4})
    assert run_log.parameters["keys"].value == ["function"]
    assert capsys.readouterr().out == "token ***\n"
    (log,) = Path(".catalog/r1").glob("make*.execution.log")
    assert log.read_text() == "token ***\n"


def test_the_catalog_of_the_marker_works_there_as_well():
    def put():
        Path("by_hand.txt").write_text("x")
        return [it.name for it in get_run_context().catalog.put("*.txt")]

    step = PythonTask(name="s", function=put, returns=["names"], workspace="isolated")
    run_log = Pipeline(steps=[step]).execute(run_id="r1")
    assert run_log.parameters["names"].value == ["by_hand.txt"]
    assert Path(".catalog/r1/by_hand.txt").is_file()


def test_another_compute_folder():
    def write_there():
        Path("data/out.txt").write_text("x")

    step = PythonTask(
        name="s",
        function=write_there,
        workspace="isolated",
        catalog=Catalog(put=["out.txt"]),
    )
    services = {
        "catalog": {"type": "file-system", "config": {"compute_data_folder": "data"}}
    }
    Pipeline(steps=[step]).execute(run_id="r1", services=services)
    assert Path(".catalog/r1/data/out.txt").is_file()
    assert not Path("data").exists()


def test_files_of_a_failed_attempt_are_kept():
    def flaky():
        Path("partial.txt").write_text(os.environ["RUNNABLE_STEP_ATTEMPT"])
        raise ValueError("bad luck")

    step = PythonTask(
        name="s",
        function=flaky,
        retries=1,
        workspace="isolated",
        catalog=Catalog(put=["partial.txt", "never.txt"]),
    )
    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=[step]).execute(run_id="r1")
    assert isinstance(caught.value.__cause__, ValueError)
    assert len(caught.value.run_log.steps["s"].attempts) == 2
    assert Path(".catalog/r1/partial.txt").read_text() == "2"


def test_a_failure_path_is_taken():
    def fail():
        raise ValueError("bad")

    handle = PythonTask(name="handle", function=lambda: 1, returns=["handled"])
    step = PythonTask(
        name="s", function=fail, workspace="isolated", on_failure=handle.as_pipeline()
    )
    run_log = Pipeline(steps=[step]).execute()
    assert run_log.parameters["handled"].value == 1


def test_a_process_that_dies_fails_its_step_alone():
    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    step = PythonTask(name="s", function=die, workspace="isolated")
    with pytest.raises(ExecutionFailedError, match="signal 9") as caught:
        Pipeline(steps=[step]).execute(run_id="r1")
    assert isinstance(caught.value.__cause__, WorkerError)
    log = get_run_log("r1")
    assert (log.status, log.steps["s"].status) == ("FAIL", "FAIL")


def test_an_attempt_whose_process_dies_is_followed_by_the_next_one():
    def die_once():
        if os.environ["RUNNABLE_STEP_ATTEMPT"] == "1":
            os._exit(7)
        return os.environ["RUNNABLE_STEP_ATTEMPT"]

    step = PythonTask(
        name="s",
        function=die_once,
        returns=["attempt"],
        workspace="isolated",
        retries=2,
    )
    run_log = Pipeline(steps=[step]).execute()
    assert run_log.parameters["attempt"].value == "2"
    statuses = [it.status for it in run_log.steps["s"].attempts]
    assert statuses == ["FAIL", "SUCCESS"]
    assert "exit status 7" in run_log.steps["s"].attempts[0].message


def test_the_error_of_an_unpicklable_task_names_the_step():
    lock = threading.Lock()
    step = PythonTask(name="s", function=lambda: lock, workspace="isolated", retries=3)
    with pytest.raises(ExecutionFailedError, match="step 's' cannot be sent"):
        Pipeline(steps=[step]).execute()


async def test_cancelling_ends_it():
    started = Path("started").absolute()

    def wait():
        import time

        started.touch()
        time.sleep(60)

    step = PythonTask(name="s", function=wait, workspace="isolated")
    running = asyncio.create_task(Pipeline(steps=[step]).execute_async(run_id="r1"))
    while not started.exists():
        await asyncio.sleep(0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert get_run_log("r1").status == "CANCELLED"


def test_a_job():
    run_log = PythonJob(
        function=write,
        returns=["here", "caller"],
        catalog=Catalog(put=["same.txt"]),
    ).execute(job_id="r1", parameters={"n": 1}, services=ISOLATED)
    assert run_log.parameters["here"].value != str(Path.cwd())
    assert run_log.job.data_catalog[0].name == "same.txt"
    assert Path(".catalog/r1/same.txt").read_text() == "1"


@pytest.mark.parametrize("workspace", ["shared", "isolated"])
@pytest.mark.parametrize("pattern", ["../*", "/etc/*", "a/../../x", ""])
@pytest.mark.parametrize("kind", ["put", "get"])
def test_nothing_outside_the_folder_is_touched(workspace, pattern, kind):
    step = PythonTask(
        name="s",
        function=lambda: None,
        workspace=workspace,
        catalog=Catalog(**{kind: [pattern]}),
    )
    with pytest.raises(ExecutionFailedError, match="within the compute folder"):
        Pipeline(steps=[step]).execute()


@pytest.mark.parametrize("workspace", ["shared", "isolated"])
def test_links_that_lead_out_are_refused(workspace, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.txt"
    outside.write_text("x")

    def link():
        Path("link.txt").symlink_to(outside)

    step = PythonTask(
        name="s", function=link, workspace=workspace, catalog=Catalog(put=["*.txt"])
    )
    with pytest.raises(ExecutionFailedError, match="leads out of the folder"):
        Pipeline(steps=[step]).execute(run_id="r1")
    assert not Path(".catalog/r1/link.txt").exists()


@pytest.mark.parametrize("workspace", ["shared", "isolated"])
def test_globs_folders_and_files_that_are_not_copied(workspace):
    def make():
        for name in ("a.csv", "deep/b.csv", "deep/er/c.csv", "deep/d.txt"):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(name)

    def step(**catalog):
        return PythonTask(
            name="s", function=make, workspace=workspace, catalog=Catalog(**catalog)
        )

    run_log = Pipeline(steps=[step(put=["**/*.csv"])]).execute(run_id="r1")
    names = [it.name for it in run_log.steps["s"].data_catalog]
    assert names == ["a.csv", "deep/b.csv", "deep/er/c.csv"]
    assert Path(".catalog/r1/deep/er/c.csv").read_text() == "deep/er/c.csv"
    run_log = Pipeline(steps=[step(put=["deep/*"], store_copy=False)]).execute(
        run_id="r2"
    )
    assert [it.name for it in run_log.steps["s"].data_catalog] == [
        "deep/b.csv",
        "deep/d.txt",
    ]
    assert not Path(".catalog/r2/deep").exists()
    with pytest.raises(ExecutionFailedError, match=r"write 'deep/\*' or"):
        Pipeline(steps=[step(put=["deep"])]).execute(run_id="r3")


def test_an_unpicklable_step_is_recorded():
    lock = threading.Lock()
    step = PythonTask(
        name="s", function=lambda: lock.locked(), workspace="isolated", retries=1
    )
    with pytest.raises(ExecutionFailedError) as failed:
        step.as_pipeline().execute()
    (attempt,) = failed.value.run_log.steps["s"].attempts
    assert attempt.status == "FAIL"
    assert "cannot be sent to a worker process" in attempt.message


def test_files_of_a_process_that_died_are_restored():
    def die():
        Path("n.txt").write_text("half")
        print("so that there is a log to keep")
        # What is kept after the files: they are there, and its end is not recorded.
        FileSystemCatalog.put_text = lambda *_, **__: os.kill(os.getpid(), 9)

    make = PythonTask(
        name="make",
        function=lambda: Path("n.txt").write_text("whole") and None,
        catalog=Catalog(put=["n.txt"]),
    )
    step = PythonTask(
        name="die",
        function=die,
        catalog=Catalog(get=["n.txt"], put=["n.txt"]),
        workspace="isolated",
        on_failure=Stub(name="mend").as_pipeline(),
    )
    run_log = Pipeline(steps=[make, step]).execute(run_id="r1")
    assert run_log.status == "SUCCESS"
    assert Path(".catalog/r1/n.txt").read_text() == "whole"


@pytest.mark.parametrize(("number", "attempts"), [(15, 1), (9, 2)])
def test_what_a_killed_process_has_printed_is_shown(number, attempts, capfd):
    def end(number):
        import os
        import time

        print("attempt", os.environ["RUNNABLE_STEP_ATTEMPT"])
        os.kill(os.getpid(), number)
        time.sleep(60)

    task = PythonTask(name="t", function=end, workspace="isolated", retries=1)
    with pytest.raises(ExecutionFailedError, match=rf"\(signal {number}\)"):
        task.as_pipeline().execute(parameters={"number": number})
    shown = capfd.readouterr().out
    assert shown == "".join(f"attempt {n + 1}\n" for n in range(attempts))
