"""Runs whose log and catalog are in a bucket, as their users see them."""

import uuid
from pathlib import Path

import pytest
import s3

from runnable import Catalog, Map, Pipeline, PythonTask, delete_runs, list_runs, pickled
from runnable.datastore import RunFinished, RunResumed, RunStarted
from runnable.datastore.object_store import MinioRunLogStore, S3RunLogStore
from runnable.exceptions import (
    ExecutionFailedError,
    RunLogContinuedError,
    RunLogDamagedError,
    StoreAccessError,
)


@pytest.fixture
def services(s3_url):
    """Everything in one bucket, by configuration only."""
    config = {"endpoint_url": s3_url, **s3.KEYS}
    folder = f"runs/{uuid.uuid4().hex}"
    return {
        "run_log_store": {
            "type": "s3",
            "config": {"bucket": f"{folder}/logs", **config},
        },
        "catalog": {"type": "minio", "config": {"bucket": f"{folder}/files", **config}},
    }


def make(n: int):
    Path("table.csv").write_text(f"{n},{n}")
    return list(range(n)), {"complex": 1j}


def use(thing: dict, i: int) -> int:
    assert thing == {"complex": 1j}
    return 10 * i


def finish(tens: list) -> int:
    if Path("broken").exists():
        raise RuntimeError("not yet")
    assert Path("table.csv").read_text() == "4,4"
    return sum(tens)


def build() -> Pipeline:
    each = PythonTask(name="use", function=use, returns=["tens"]).as_pipeline()
    return Pipeline(
        steps=[
            PythonTask(
                name="make",
                function=make,
                returns=["items", pickled("thing")],
                catalog=Catalog(put=["*.csv"]),
            ),
            Map(name="each", branch=each, iterate_on="items", iterate_as="i"),
            PythonTask(
                name="finish",
                function=finish,
                returns=["total"],
                catalog=Catalog(get=["table.csv"]),
            ),
        ]
    )


@pytest.mark.parametrize("parallelism", ["thread", "process"])
def test_a_run_fails_and_is_resumed(services, parallelism):
    services |= {
        "pipeline_executor": {"type": "local", "config": {"parallelism": parallelism}}
    }
    Path("broken").touch()
    with pytest.raises(ExecutionFailedError, match="not yet"):
        build().execute(run_id="r1", parameters={"n": 4}, services=services)
    Path("broken").unlink()
    Path("table.csv").unlink()
    run_log = build().execute(resume="r1", services=services)
    assert run_log.parameters["total"].value == 60
    assert len(run_log.steps["make"].attempts) == 1
    assert len(run_log.steps["finish"].attempts) == 2
    assert [run.status for run in list_runs(services=services)] == ["SUCCESS"]
    assert not list(Path.cwd().glob(".*")), "something was kept here"
    delete_runs(["r1"], services=services)
    assert list_runs(services=services) == []


def test_keys_are_not_recorded(services):
    run_log = build().execute(run_id="r1", parameters={"n": 4}, services=services)
    assert s3.KEYS["aws_secret_access_key"] not in run_log.model_dump_json()
    store = S3RunLogStore(**services["run_log_store"]["config"])
    assert b"r1" in store.objects.get("r1/r1.json")
    for name in store.objects.names("r1"):
        assert b"staple" not in store.objects.get(f"r1/{name}")


def test_a_process_that_was_thought_to_be_gone_cannot_write(services):
    store = S3RunLogStore(**services["run_log_store"]["config"])
    gone = store.create("r1", RunResumed(at="", code=[]))
    store.reopen("r1", RunResumed(at="", code=[]), 1).close()
    with pytest.raises(RunLogContinuedError):
        gone.append(RunResumed(at="", code=[], host="other"))


START = RunStarted("2026-01-31 10:00:00.000000", "r1", "old", "", {}, {}, [])
END = RunFinished(START.at, "FAIL", {}, START.at, "old")
RESUMED = RunResumed(at=START.at, code=[], host="h")


def again(store):
    store.reopen("r1", RESUMED, 2).close()


def delete(store):
    store.remove("r1")


@pytest.mark.parametrize("meanwhile", [again, delete])
def test_a_summary_that_comes_too_late_is_withdrawn(services, monkeypatch, meanwhile):
    store = S3RunLogStore(**services["run_log_store"]["config"])
    journal, put = store.create("r1", START), type(store.objects).put

    def late(objects, key, content):
        if key.startswith(".summaries"):
            monkeypatch.undo()
            meanwhile(store)
        put(objects, key, content)

    monkeypatch.setattr(type(store.objects), "put", late)
    journal.append(END)
    assert list(store.objects.names(".summaries")) == []


def test_an_ended_run_has_a_summary_until_it_is_resumed(services):
    store = S3RunLogStore(**services["run_log_store"]["config"])
    store.create("r1", START).append(END)
    assert len(list(store.objects.names(".summaries"))) == 1
    again(store)
    assert list(store.objects.names(".summaries")) == []


def test_a_server_that_is_not_there():
    store = MinioRunLogStore(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(StoreAccessError, match=r"at http://127.0.0.1:9 cannot be read"):
        store.list_run_ids()


def test_a_bucket_that_is_not_there(s3_url):
    store = S3RunLogStore(bucket="nowhere", endpoint_url=s3_url, **s3.KEYS)
    for use in (
        lambda: store.create("r1", RunResumed(at="", code=[])),
        store.list_run_ids,
    ):
        with pytest.raises(StoreAccessError, match="there is no such bucket"):
            use()


def test_a_record_that_is_missing(services):
    build().execute(run_id="r1", parameters={"n": 4}, services=services)
    build().execute(run_id="r2", parameters={"n": 4}, services=services)
    store = S3RunLogStore(**services["run_log_store"]["config"])
    name = sorted(store.objects.names("r1/journal"))[1]
    store.objects.delete([f"r1/journal/{name}"])
    with pytest.raises(RunLogDamagedError, match=f"record {int(name)} is missing"):
        store.get_run_log_by_id("r1")
    store.objects.delete(["r1/journal/00000000"])
    assert {run.run_id: run.status for run in store.list_runs()} == {
        "r1": "DAMAGED",
        "r2": "SUCCESS",
    }
    assert delete_runs(["r1", "r2"], services=services) == ["r1", "r2"]
    assert store.list_run_ids() == []
