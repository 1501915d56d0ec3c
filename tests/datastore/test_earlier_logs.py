"""Run logs that version 0.50 wrote, by each of its stores: read, listed and deleted."""

import json
import uuid
from pathlib import Path

import pytest
import s3
from command_line import runnable

from runnable import Stub, delete_runs, get_run_log, list_runs
from runnable.datastore.errors import RunLogDamagedError, RunLogExistsError
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.datastore.object_store import MinioRunLogStore


def step(path, **more):
    moment = "2025-03-01 10:00:00.000000"
    attempt = {
        "attempt_number": 1,
        "start_time": moment,
        "end_time": moment.replace("00.0", "07.0"),
        "status": "SUCCESS",
        "message": "",
        "input_parameters": {},
        "output_parameters": {"y": {"kind": "json", "value": 1, "description": 1}},
    }
    return {
        "name": path.rpartition(".")[2],
        "internal_name": path,
        "status": "SUCCESS",
        "step_type": "task",
        "attempts": [attempt],
        "branches": {},
        **more,
    }


def branch(path, *steps):
    by_path = {it["internal_name"]: it for it in steps}
    return {"internal_name": path, "status": "SUCCESS", "steps": by_path}


RUN = {
    "run_id": "old",
    "dag_hash": "6d56",
    "tag": "nightly",
    "status": "SUCCESS",
    "steps": {"a": step("a"), "p": step("p", attempts=[], step_type="parallel")},
    "parameters": {"x": {"kind": "json", "value": 1, "description": 1}},
    "run_config": {},
}
OUTER = branch("p.b", step("p.b.s"), step("p.b.m", attempts=[], step_type="map"))
INNER = [branch(f"p.b.m.{n}", step(f"p.b.m.{n}.leaf")) for n in (1, "x y")]
PIECES = {"RunLog": RUN} | {
    f"BranchLog-{it['internal_name']}": it for it in (OUTER, *INNER)
}


def whole():
    """Return the run log as one document."""
    run, outer = json.loads(json.dumps([RUN, OUTER]))
    outer["steps"]["p.b.m"]["branches"] = {it["internal_name"]: it for it in INNER}
    run["steps"]["p"]["branches"] = {"p.b": outer}
    return run


@pytest.fixture(params=["file-system", "chunked-fs", "minio", "chunked-minio"])
def old(request):
    """Write the log as a store of version 0.50 did; return the services to read it."""
    if request.param == "file-system":
        Path("logs").mkdir()
        Path("logs/old.json").write_text(json.dumps(whole(), indent=4))
    if request.param == "chunked-fs":
        Path("logs/old").mkdir(parents=True)
        for name, piece in PIECES.items():
            Path(f"logs/old/{name}.json").write_text(json.dumps(piece, indent=4))
    if "minio" not in request.param:
        config = {"log_folder": "logs"}
        return {"run_log_store": {"type": request.param, "config": config}}
    url = request.getfixturevalue("s3_url")
    config = {"bucket": f"runs/{uuid.uuid4().hex}", "endpoint_url": url, **s3.KEYS}
    objects = MinioRunLogStore.model_validate(config).objects
    if request.param == "minio":
        objects.put("old/old.json", json.dumps(json.dumps(whole())).encode())
    for name, piece in PIECES.items() if request.param == "chunked-minio" else ():
        objects.put(f"old/{name}", json.dumps(piece).encode())
    return {"run_log_store": {"type": request.param, "config": config}}


def test_it_is_read_listed_and_deleted(old):
    run_log = get_run_log("old", services=old)
    assert [it.internal_name for it in run_log.all_steps()] == [
        *("a", "p", "p.b.s", "p.b.m", "p.b.m.1.leaf", "p.b.m.x y.leaf"),
    ]
    leaf = run_log.search_step_by_internal_name("p.b.m.x y.leaf")[0]
    assert leaf.attempts[0].output_parameters["y"].value == 1
    (run,) = list_runs(services=old)
    assert (run.run_id, run.status, run.tag) == ("old", "SUCCESS", "nightly")
    assert run.started_at.startswith("2025-03-01")
    with pytest.raises(RunLogExistsError):
        Stub(name="s").as_pipeline().execute(run_id="old", services=old)
    assert get_run_log("old", services=old) == run_log
    Stub(name="s").as_pipeline().execute(run_id="new", services=old)
    assert [run.run_id for run in list_runs(services=old)] == ["new", "old"]
    assert delete_runs(["old"], services=old) == ["old"]
    assert [run.run_id for run in list_runs(services=old)] == ["new"]
    Stub(name="s").as_pipeline().execute(run_id="old", services=old)
    assert get_run_log("old", services=old).tag == ""


def test_by_the_command_line():
    Path(".run_log_store/old").mkdir(parents=True)
    pieces = {**PIECES, "RunLog": {**RUN, "status": "PROCESSING"}}
    for name, piece in pieces.items():
        Path(f".run_log_store/old/{name}.json").write_text(json.dumps(piece))
    Path(".run_log_store/old/notes.txt").touch()
    assert "PROCESSING" in runnable("runs", "list").stdout
    assert "p.b.m.1.leaf" in runnable("runs", "show", "old").stdout
    assert runnable("timeline", "old").returncode == 0
    refused = runnable("retry", "old")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert runnable("runs", "delete", "old", "--yes").returncode == 0
    assert [it.name for it in Path(".run_log_store/old").iterdir()] == ["notes.txt"]
    assert "old" not in runnable("runs", "list").stdout


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("RunLog", "{", "Expecting"),
        ("RunLog", "[]", "it is no run log"),
        ("BranchLog-q.b", '{"internal_name": "q.b"}', "do not fit together: 'q'"),
        ("BranchLog-p.b", '{"steps": {}}', "do not fit together"),
        ("BranchLog-p.b", "null", "it is no run log"),
    ],
)
def test_pieces_that_are_damaged_hide_no_other_run(name, content, why):
    Path("logs/old").mkdir(parents=True)
    pieces = {"RunLog": json.dumps(RUN), name: content}
    for piece, text in pieces.items():
        Path(f"logs/old/{piece}.json").write_text(text)
    store = FileSystemRunLogStore(log_folder="logs")
    with pytest.raises(RunLogDamagedError, match=why):
        store.get_run_log_by_id("old")
    services = {"run_log_store": store}
    Stub(name="s").as_pipeline().execute(run_id="new", services=services)
    assert {it.run_id: it.status for it in list_runs(services=services)} == {
        "new": "SUCCESS",
        "old": "DAMAGED",
    }
    assert delete_runs(["old"], services=services) == ["old"]
