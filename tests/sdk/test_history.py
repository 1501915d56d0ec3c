"""Lists of runs, and their deletion."""

import threading
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
from runnable.datastore.memory import MemoryRunLogStore
from runnable.exceptions import (
    DefinitionError,
    RetryValidationError,
    RunLogNotFoundError,
    RunUnderWayError,
)


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
    journal.write_bytes(journal.read_bytes().replace(b"run_started", b"run_starteD", 1))
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
    assert [it.name for it in Path(".catalog").iterdir()] == ["b"]
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
            with pytest.raises(RetryValidationError, match="under way"):
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
