"""Runs that are kept in SQL databases."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runnable import (
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonTask,
    get_run_log,
    list_runs,
)
from runnable.datastore import RunResumed, RunStarted
from runnable.datastore.sql import PostgresRunLogStore, SqliteRunLogStore
from runnable.exceptions import (
    RunLogContinuedError,
    RunLogDamagedError,
    StoreAccessError,
)


@pytest.fixture(params=["sqlite", "postgres"])
def services(request):
    if request.param == "sqlite":
        return {"run_log_store": {"type": "sqlite"}}
    url = request.getfixturevalue("postgres_url")
    return {"run_log_store": {"type": "postgres", "config": {"url": url}}}


def mapped(**more):
    branch = PythonTask(name="s", function=lambda x: 2 * x, returns=["y"]).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x", **more)
    return Pipeline(steps=[step])


@pytest.mark.parametrize("parallelism", ["thread", "process"])
def test_runs_at_once_from_many_threads(services, parallelism, tmp_path):
    runs = 4 if parallelism == "process" else 16
    pipeline = mapped(parallelism=parallelism, max_workers=2)

    def run(number):
        run_id = f"{parallelism}-{tmp_path.name}-{number}"
        run_log = pipeline.execute(
            run_id=run_id, parameters={"xs": [number, 1, 2]}, services=services
        )
        assert run_log.parameters["y"].value == [2 * number, 2, 4]
        again = get_run_log(run_id, services=services)
        assert again.model_dump() == run_log.model_dump()
        return run_id

    with ThreadPoolExecutor(8) as pool:
        run_ids = set(pool.map(run, range(runs)))
    listed = {it.run_id: it.status for it in list_runs(services=services)}
    assert {listed[run_id] for run_id in run_ids} == {"SUCCESS"}


async def test_on_an_event_loop_and_resumed(services, tmp_path):
    def fail():
        if not Path("mended").exists():
            raise ValueError("not yet")
        return 1

    pipeline = Pipeline(steps=[PythonTask(name="s", function=fail, returns=["x"])])
    run_id = tmp_path.name
    with pytest.raises(ExecutionFailedError):
        await pipeline.execute_async(run_id=run_id, services=services)
    Path("mended").touch()
    run_log = await pipeline.execute_async(resume=run_id, services=services)
    assert [it.status for it in run_log.steps["s"].attempts] == ["FAIL", "SUCCESS"]


def test_the_address_of_the_database_is_not_recorded(postgres_url):
    service = {"type": "postgres", "config": {"url": postgres_url}}
    run_log = Pipeline(steps=[PythonTask(name="s", function=lambda: None)]).execute(
        services={"run_log_store": service}
    )
    assert "runs@" not in json.dumps(run_log.model_dump(mode="json"))


@pytest.fixture
def store(tmp_path):
    store = SqliteRunLogStore(location=str(tmp_path / "runs.sqlite"))
    yield store
    store.close()


START = RunStarted("", "r1", "", "", {}, {}, [])


def test_a_writer_that_was_thought_to_be_gone_writes_no_more(store):
    old = store.create("r1", START)
    new = store.reopen("r1", RunResumed("", []), 1)
    with pytest.raises(RunLogContinuedError):
        old.append(START)
    new.append(START)
    assert len(list(store.read("r1"))) == 3


def test_a_record_that_was_changed_is_named(store):
    import sqlite3

    store.create("r1", START)
    with sqlite3.connect(store.location) as connection:
        connection.execute("UPDATE runnable_records SET line = x'7b7d'")
    connection.close()
    with pytest.raises(RunLogDamagedError, match="record 1"):
        store.get_run_log_by_id("r1")
    assert [it.status for it in store.list_runs()] == ["DAMAGED"]


def test_long_journals_are_read_in_pieces(store):
    journal = store.create("r1", START)
    for _ in range(2499):
        journal.append(START)
    assert len(list(store.read("r1"))) == 2500


def test_a_server_that_is_not_there():
    store = PostgresRunLogStore(url="postgresql://ada:hunter2@127.0.0.1:9/runs")
    with pytest.raises(StoreAccessError, match=r"ada:\*\*\*@127.0.0.1:9/runs cannot"):
        store.list_run_ids()


def test_the_advice_for_a_file_speaks_of_no_server(tmp_path):
    """A full disk, as RLIMIT_FSIZE makes one, in a process of its own."""
    script = (
        "import resource, signal\n"
        "from runnable import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "services = {'run_log_store': {'type': 'sqlite'},\n"
        "            'catalog': {'type': 'do-nothing'}}\n"
        "task = PythonTask(name='t', function=lambda: 'x' * 100_000, returns=['x'])\n"
        "task.as_pipeline().execute(services=services)\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        text=True,
        capture_output=True,
        check=False,
    )
    assert finished.returncode == 1
    assert "Check that the disk is not full" in finished.stderr
    assert "server" not in finished.stderr
