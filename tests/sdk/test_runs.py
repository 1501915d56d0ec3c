"""Lists of runs, and their deletion."""

import itertools
import runpy
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from containers import RunContainer
from runnable import (
    Catalog,
    ExecutionFailedError,
    Pipeline,
    PythonTask,
    Stub,
    delete_runs,
    get_run_log,
    list_runs,
    pickled,
)
from runnable.catalog.file_system import FileSystemCatalog
from runnable.datastore import RunStarted, StepStarted
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.datastore.memory import MemoryRunLogStore
from runnable.engine import deletion_record
from runnable.exceptions import (
    AmbiguousRunIdError,
    DefinitionError,
    RetryValidationError,
    RunLogExistsError,
    RunLogNotFoundError,
    RunsNotDeletedError,
    RunUnderWayError,
)
from runnable.sdk import find_run_id
from tests.support.gates import wait_until


@pytest.fixture(params=["file-system", "memory", "sqlite"])
def services(request):
    if request.param == "memory":
        return {
            "run_log_store": MemoryRunLogStore(),
            "catalog": {"type": "do-nothing"},
        }
    if request.param == "sqlite":
        return {"run_log_store": {"type": "sqlite"}}
    return {}


def run(run_id, services, tag="", name="", *, fails=False):
    function = (lambda: 1 / 0) if fails else (lambda: {"x": 1})
    step = PythonTask(name="s", function=function, returns=[pickled("thing")])
    pipeline = Pipeline(steps=[step], name=name)
    if fails:
        with pytest.raises(ExecutionFailedError):
            pipeline.execute(run_id=run_id, tag=tag, services=services)
    else:
        pipeline.execute(run_id=run_id, tag=tag, services=services)


def ids(services, **wanted):
    return [it.run_id for it in list_runs(services=services, **wanted)]


def test_runs_are_listed_the_latest_first_and_found(services):
    assert list_runs(services=services) == []
    run("b", services, tag="nightly", name="train")
    between = datetime.now()
    run("a", services, tag="by hand", name="train", fails=True)
    run("c", services)
    assert ids(services) == ["c", "a", "b"]
    assert ids(services, status="SUCCESS") == ["c", "b"]
    assert ids(services, tag="nightly") == ["b"]
    assert ids(services, pipeline="train") == ["a", "b"]
    assert ids(services, pipeline="train", status="FAIL") == ["a"]
    assert ids(services, since=between) == ["c", "a"]
    assert ids(services, until=between) == ["b"]
    assert ids(services, tag="nobody") == []
    (first,) = list_runs(services=services, tag="nightly")
    assert (first.status, first.pipeline) == ("SUCCESS", "train")
    assert first.started_at <= first.ended_at
    assert first.problem == ""


def test_one_damaged_run_hides_no_other():
    for run_id in ("a", "b", "c"):
        run(run_id, {})
    journal = Path(".run_log_store/b.000001.jsonl")
    journal.write_bytes(
        journal.read_bytes().replace(b"run_finished", b"run_finisheD", 1)
    )
    runs = {it.run_id: it for it in list_runs()}
    assert {name: it.status for name, it in runs.items()} == {
        "a": "SUCCESS",
        "b": "DAMAGED",
        "c": "SUCCESS",
    }
    assert "checksum" in runs["b"].problem
    assert delete_runs(["b"]) == ["b"]
    assert sorted(it.run_id for it in list_runs()) == ["a", "c"]


def test_a_run_that_was_cut_off_is_listed():
    run("a", {})
    journal = Path(".run_log_store/a.000001.jsonl")
    content = journal.read_bytes()
    lines = content.splitlines(keepends=True)
    for kept, status in ((lines[:-1], "PROCESSING"), (lines[:1], "PROCESSING")):
        journal.write_bytes(b"".join(kept) + b'{"crc32":"cut')
        assert [it.status for it in list_runs()] == [status]
    journal.write_bytes(b"")
    assert [it.status for it in list_runs()] == ["CREATED"]


def test_a_run_whose_process_is_gone_has_crashed():
    Path("script.py").write_text(
        "import os\n"
        "from runnable import PythonTask\n"
        "task = PythonTask(name='s', function=lambda: os.kill(os.getpid(), 9))\n"
        "task.as_pipeline().execute(run_id='r1')\n"
    )
    subprocess.run([sys.executable, "script.py"], check=False)
    run("r2", {})
    assert [it.run_id for it in list_runs(status="CRASHED")] == ["r1"]
    assert list_runs(status="PROCESSING") == []
    assert [it.status for it in list_runs()] == ["SUCCESS", "CRASHED"]
    command = [sys.executable, "-m", "runnable.cli", "runs", "show", "r1"]
    shown = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    assert "It has crashed; `runnable retry r1` resumes it." in shown.stdout


def test_runs_are_deleted_with_everything_they_have_kept():
    step = PythonTask(
        name="s",
        function=lambda: Path("out.txt").write_text("x"),
        returns=[pickled("n")],
        catalog=Catalog(put=["out.txt"]),
    )
    for run_id in ("a", "b"):
        Pipeline(steps=[step]).execute(run_id=run_id)
    assert Path(".catalog/a/out.txt").is_file()
    assert delete_runs(["a"]) == ["a"]
    assert [it.name for it in Path(".catalog").iterdir() if it.is_dir()] == ["b"]
    assert [it.run_id for it in list_runs()] == ["b"]
    assert get_run_log("b").parameters["n"].get_value() == 1
    with pytest.raises(RunLogNotFoundError):
        delete_runs(["a"])
    # Its id is free again.
    Pipeline(steps=[Stub(name="s")]).execute(run_id="a")
    assert list(get_run_log("a").steps) == ["s", "success"]


def test_runs_are_deleted_by_number_and_age(services):
    for run_id in ("a", "b", "c", "d"):
        run(run_id, services)
    assert sorted(delete_runs(services=services, keep=2)) == ["a", "b"]
    assert ids(services) == ["d", "c"]
    assert delete_runs(services=services, older_than=timedelta(hours=1)) == []
    assert delete_runs(services=services, older_than=timedelta()) == ["d", "c"]
    assert ids(services) == []
    assert delete_runs(services=services, keep=0) == []


def test_a_run_that_is_under_way_stays(services):
    started, go_on = threading.Event(), threading.Event()

    def wait():
        started.set()
        go_on.wait(60)

    pipeline = Pipeline(steps=[PythonTask(name="s", function=wait)])
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(pipeline.execute, run_id="a", services=services)
        started.wait(60)
        with pytest.raises(RunUnderWayError):
            delete_runs("a", services=services)
        assert delete_runs(services=services, keep=0) == []
        go_on.set()
        running.result()
    assert delete_runs(services=services, keep=0) == ["a"]


@pytest.mark.parametrize("name", ["we:ird.json", "x" * 220 + ".json"])
def test_files_of_others_hide_no_run(name):
    Pipeline(steps=[Stub(name="s")]).execute(run_id="good")
    Path(".run_log_store", name).write_text("{}")
    Path(".run_log_store/folder.000001.jsonl").mkdir()
    statuses = {run.run_id: run.status for run in list_runs()}
    assert statuses["good"] == "SUCCESS"
    assert statuses["folder"] == "DAMAGED"


def test_a_moment_may_have_a_zone():
    Pipeline(steps=[Stub(name="s")]).execute()
    now = datetime.now(UTC)
    assert list_runs(since=now) == []
    assert len(list_runs(until=now)) == 1


@pytest.mark.parametrize("where", ["link", "container"])
def test_a_run_of_this_process_is_known_however_one_comes_to_it(where):
    """By another name of its folder, or from another container."""
    begun, go_on = threading.Event(), threading.Event()
    Path("real").mkdir()
    Path("link").symlink_to("real")

    def work():
        begun.set()
        assert go_on.wait(60)

    pipeline = PythonTask(name="s", function=work).as_pipeline()
    folder = "link" if where == "link" else "real"
    services = {
        name: {"run_log_store": {"type": "file-system", "log_folder": name}}
        for name in ("real", folder)
    }
    more = {"container": RunContainer()} if where == "container" else {}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            pipeline.execute, run_id="r1", services=services["real"], **more
        )
        assert begun.wait(60)
        try:
            with pytest.raises(RetryValidationError, match="is active"):
                pipeline.execute(resume="r1", services=services[folder])
            with pytest.raises(RunUnderWayError):
                delete_runs(["r1"], services=services[folder])
        finally:
            go_on.set()
        assert running.result().status == "SUCCESS"


@pytest.mark.parametrize("status", ["success", "NOSUCH"])
def test_a_status_that_no_run_has(status):
    with pytest.raises(DefinitionError, match="there are CREATED, PROCESSING"):
        list_runs(status=status)


def test_a_negative_number_of_runs_to_keep():
    with pytest.raises(DefinitionError, match="0 or more"):
        delete_runs(keep=-1)


PARTS = """
import time
from pathlib import Path

from runnable import Pipeline, PythonTask


def first():
    return 1


def second(x):
    Path("begun").touch()
    while not Path("go on").exists():
        time.sleep(0.01)
    return x + 1


PIPELINE = Pipeline(
    steps=[
        PythonTask(name="a", function=first, returns=["x"]),
        PythonTask(name="b", function=second, returns=["y"]),
    ]
)


def main():
    return PIPELINE.execute()


if __name__ == "__main__":
    main()
"""


def part(step):
    command = [sys.executable, "-m", "runnable.cli", "execute-single-node"]
    return subprocess.Popen([*command, "r1", "parts.py", step])


@pytest.mark.parametrize("kind", ["file-system", "sqlite"])
def test_a_run_of_which_a_part_is_under_way_stays(kind):
    Path("parts.py").write_text(PARTS)
    Path("runnable-config.yaml").write_text(f"run-log-store:\n  type: {kind}\n")
    assert part("a").wait(60) == 0
    pipeline = runpy.run_path("parts.py")["PIPELINE"]
    with part("b") as running:
        wait_until(Path("begun").exists)
        with pytest.raises(RunUnderWayError):
            delete_runs(["r1"])
        assert delete_runs(keep=0) == []
        with pytest.raises(RetryValidationError, match="is active"):
            pipeline.execute(resume="r1")
        Path("go on").touch()
        assert running.wait(60) == 0
    assert part("success").wait(60) == 0
    assert get_run_log("r1").parameters["y"].value == 2
    assert [it.status for it in list_runs()] == ["SUCCESS"]
    assert delete_runs(["r1"]) == ["r1"]


class Slow(FileSystemCatalog):
    """Has somebody do something while a run is being removed."""

    meanwhile: Callable[[], object]

    def remove(self, run_id):
        self.meanwhile()
        super().remove(run_id)


@pytest.mark.parametrize("kind", ["file-system", "sqlite"])
def test_resuming_a_run_that_is_being_deleted_is_refused(kind):
    Path("parts.py").write_text(PARTS.replace("return x + 1", "return x / 0"))
    Path("go on").touch()
    config = f"run-log-store:\n  type: {kind}\n"
    Path("runnable-config.yaml").write_text(config)
    pipeline = runpy.run_path("parts.py")["PIPELINE"]
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(run_id="r1")
    said = []

    def resume():
        code = "import parts; parts.PIPELINE.execute(resume='r1')"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        said.append(done.stderr)

    assert delete_runs(["r1"], services={"catalog": Slow(meanwhile=resume)}) == ["r1"]
    assert "Run 'r1' cannot be retried: it is active" in said[0]
    assert list_runs() == []
    assert not Path(".catalog/r1").exists()


def test_a_deletion_that_failed_is_begun_again():
    run("a", {})

    def fail():
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        delete_runs(["a"], services={"catalog": Slow(meanwhile=fail)})
    [listed] = list_runs()
    assert (listed.status, listed.problem) == (
        "DAMAGED",
        "its deletion started and did not finish",
    )
    with pytest.raises(RetryValidationError, match="its deletion started"):
        Pipeline(steps=[Stub(name="s")]).execute(resume="a")
    assert delete_runs(keep=0) == ["a"]
    assert list_runs() == []


def test_a_deletion_cut_off_by_a_kill_can_be_repeated():
    run("a", {})
    Path(".run_log_store/a.000001.jsonl").rename(".run_log_store/a.000002.jsonl")
    Path(".run_log_store/a.json").unlink()
    with pytest.raises(RunLogExistsError):
        run("a", {})
    assert delete_runs(["a"]) == ["a"]
    run("a", {})


def test_a_deletion_cut_off_by_a_kill_is_listed():
    run("r1", {})
    store = FileSystemRunLogStore()
    store.reopen("r1", deletion_record(), len(list(store.read("r1")))).close()
    Path(".run_log_store/r1.json").unlink()
    Path(".run_log_store/r1.000001.jsonl").unlink()
    (listed,) = list_runs()
    assert (listed.run_id, listed.status) == ("r1", "DAMAGED")
    assert "its deletion started" in listed.problem
    assert delete_runs(["r1"]) == ["r1"]
    assert list_runs() == []


def test_an_id_is_free_when_all_of_its_run_is_deleted(monkeypatch):
    step = PythonTask(name="s", function=lambda: 1 / 0).as_pipeline()
    for given in ({"run_id": "r1"}, {"resume": "r1"}):
        with pytest.raises(ExecutionFailedError):
            step.execute(**given)
    unlink, count = Path.unlink, itertools.count()

    def fail(path, **more):
        if next(count) == 3:  # of four files
            raise OSError("cut off")
        unlink(path, **more)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", fail)
        with pytest.raises(OSError, match="cut off"):
            delete_runs(["r1"])
    with pytest.raises(RunLogExistsError):
        run("r1", {})
    assert delete_runs(["r1"]) == ["r1"]
    run("r1", {})


def test_one_run_that_cannot_be_deleted_keeps_no_other():
    for number in range(4):
        run(f"r{number}", {})
    Path("elsewhere").mkdir()
    Path(".catalog/r2").rename("elsewhere/r2")
    Path(".catalog/r2").symlink_to(Path("elsewhere/r2").absolute())
    with pytest.raises(RunsNotDeletedError, match="Not deleted:\n  - r2: ") as error:
        delete_runs(keep=1)
    assert error.value.deleted == ["r1", "r0"]
    assert [(it.run_id, it.status) for it in list_runs()] == [
        ("r3", "SUCCESS"),
        ("r2", "DAMAGED"),
    ]
    Path(".catalog/r2").unlink()
    assert delete_runs(["r2"]) == ["r2"]


def test_finishing_a_deleted_run_brings_nothing_back(monkeypatch):
    finish = FileSystemRunLogStore.finish

    def finish_late(store, run_log):
        store.remove("r1")
        finish(store, run_log)

    monkeypatch.setattr(FileSystemRunLogStore, "finish", finish_late)
    run("r1", {})
    assert list_runs() == []
    assert not [it for it in Path(".run_log_store").iterdir() if "r1" in it.name]


def test_age_is_by_the_clock_that_runs_have(frozen_clock):
    run("r1", {})
    assert delete_runs(older_than=timedelta(days=1)) == []
    frozen_clock.tick(2 * 86400)
    assert delete_runs(older_than=timedelta(days=1)) == ["r1"]


def test_damage_in_the_middle_takes_no_protection_away():
    Path("parts.py").write_text(PARTS)
    code = "import parts; parts.PIPELINE.execute(run_id='r1')"
    with subprocess.Popen([sys.executable, "-c", code]) as running:
        wait_until(Path("begun").exists)
        journal = Path(".run_log_store/r1.000001.jsonl")
        sound = journal.read_bytes()
        lines = sound.splitlines(keepends=True)
        lines[1] = lines[1].replace(b"step_started", b"step_starteD")
        journal.write_bytes(b"".join(lines))
        with pytest.raises(RunUnderWayError):
            delete_runs(["r1"])
        assert delete_runs(keep=0) == []
        journal.write_bytes(sound)
        Path("go on").touch()
        assert running.wait(60) == 0
    journal.write_bytes(b"".join(lines))
    assert delete_runs(keep=0) == []  # it cannot be read
    assert delete_runs(["r1"]) == ["r1"]


@pytest.mark.parametrize("content", ["[" * 100_000, "{}", "null"])
def test_odd_files_hide_no_run(content):
    run("good", {})
    Path(".run_log_store/odd.json").write_text(content)
    assert "good" in [it.run_id for it in list_runs(since=datetime(2020, 1, 1))]
    assert "good" in delete_runs(keep=0)


def test_a_run_may_have_been_recorded_with_a_zone():
    store = MemoryRunLogStore()
    first = RunStarted("2026-01-31T10:00:00+02:00", "a", "", "", {}, {}, [])
    store.create("a", first)
    services = {"run_log_store": store}
    since = datetime(2026, 1, 30)
    assert ids(services, since=since) == ["a"]


def test_three_deletions_at_once():
    for number in range(20):
        run(f"r{number}", {})
    with ThreadPoolExecutor(3) as pool:
        deleted = list(pool.map(lambda _: delete_runs(keep=0), range(3)))
    assert sorted(it for some in deleted for it in some) == sorted(
        f"r{number}" for number in range(20)
    )
    assert list_runs() == []


def test_a_step_after_the_end_of_a_run_begins_it_again():
    store = MemoryRunLogStore()
    services = {"run_log_store": store, "catalog": {"type": "do-nothing"}}
    run("a", services)
    store.join("a").append(StepStarted("", "late", "late", "task", 1))
    assert get_run_log("a", services=services).status == "PROCESSING"
    assert [it.status for it in list_runs(services=services)] == ["PROCESSING"]


def test_a_run_is_found_by_how_its_id_begins():
    for run_id in ("morning-1", "morning-2", "noon"):
        Stub(name="s").as_pipeline().execute(run_id=run_id)
    assert get_run_log("no").run_id == "noon"
    assert find_run_id("latest") == "noon"
    assert get_run_log("morning-1").run_id == "morning-1"
    with pytest.raises(AmbiguousRunIdError, match="2 runs begin: morning-1, morning-2"):
        get_run_log("morning")
    with pytest.raises(RunLogNotFoundError, match="no run 'evening'"):
        find_run_id("evening")
    with pytest.raises(RunLogNotFoundError):
        find_run_id("")


def test_a_run_may_be_called_latest():
    for run_id in ("latest", "later"):
        Stub(name="s").as_pipeline().execute(run_id=run_id)
    assert find_run_id("latest") == "latest"


def test_without_runs_there_is_no_latest_one():
    with pytest.raises(RunLogNotFoundError):
        get_run_log("latest")
