"""Journals in files: cut, changed and half-written ones too."""

import os
import time
from pathlib import Path

import pytest

from runnable import Stub
from runnable.datastore import RunFinished, RunLog, RunStarted, StepStarted
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.datastore.snapshot import dump_run_log, load_run_log
from runnable.exceptions import RunLogDamagedError, RunLogExistsError

START = RunStarted("", "r2", "", "", {}, {}, [])


@pytest.fixture
def store():
    return FileSystemRunLogStore(log_folder="logs")


def step(number):
    return StepStarted(at="", path=f"s{number}", name=f"s{number}", step_type="stub")


def write(store, count=5):
    journal = store.create("r1", step(0))
    for number in range(1, count):
        journal.append(step(number))
    journal.close()
    return Path("logs/r1.000001.jsonl")


def test_every_prefix_of_the_bytes_gives_the_complete_records(store):
    path = write(store)
    content = path.read_bytes()
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        complete = content[:size].count(b"\n")
        assert list(store.read("r1")) == [step(number) for number in range(complete)]


def test_every_flipped_bit_is_noticed(store):
    path = write(store, 3)
    content = path.read_bytes()
    for place in range(len(content) * 8):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        with pytest.raises(RunLogDamagedError):
            list(store.read("r1"))


def test_a_changed_line_is_reported_with_its_place(store):
    path = write(store)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"s2", b"s9")
    path.write_bytes(b"".join(lines))
    with pytest.raises(RunLogDamagedError) as caught:
        store.get_run_log_by_id("r1")
    assert "r1.000001.jsonl: line 3: its checksum" in str(caught.value)


def test_a_damaged_run_hides_no_other(store):
    write(store).write_bytes(b"rubbish\n")
    store.create("r2", START).close()
    assert store.list_run_ids() == ["r1", "r2"]
    assert store.get_run_log_by_id("r2").status == "PROCESSING"


def test_a_record_that_could_not_be_written_leaves_no_half_line(store, monkeypatch):
    journal = store.create("r1", step(0))
    real = os.write

    with monkeypatch.context() as patch:
        calls = []
        patch.setattr(os, "write", lambda d, c: _fill_up(real, d, c, calls))
        with pytest.raises(OSError, match="No space"):
            journal.append(step(1))
    journal.append(step(2))
    journal.close()
    assert list(store.read("r1")) == [step(0), step(2)]


def _fill_up(real, descriptor, content, calls):
    """Write ten bytes, then have no space left."""
    calls.append(content)
    if len(calls) > 1:
        raise OSError(28, "No space left on device")
    return real(descriptor, content[:10])


def test_records_of_later_segments_follow(store):
    write(store, 2)
    other = Path("logs/r1.000002.jsonl")
    from runnable.datastore.codec import encode

    other.write_bytes(encode(RunFinished(at="", status="FAIL")))
    assert len(list(store.read("r1"))) == 3


def test_a_run_log_of_version_0_50_can_be_read(store):
    Path("logs").mkdir()
    Path("logs/old.json").write_bytes(
        b'{"run_id": "old", "dag_hash": "x", "status": "SUCCESS", "steps": {}, '
        b'"parameters": {"x": {"kind": "json", "value": 1, "description": 1}}}'
    )
    run_log = store.get_run_log_by_id("old")
    assert run_log.parameters["x"].value == 1
    assert store.list_run_ids() == ["old"]


def test_a_copy_that_is_no_run_log(store):
    Path("logs").mkdir()
    Path("logs/old.json").write_text("[]")
    with pytest.raises(RunLogDamagedError, match=r"old\.json"):
        store.get_run_log_by_id("old")


def test_text_that_is_no_unicode_survives_in_the_copy():
    run_log = RunLog.model_validate({
        "run_id": "r1",
        "parameters": {"x": {"kind": "json", "value": "a"}},
    })
    run_log.parameters["x"].value = "half \ud83d"
    Path("r1.json").write_bytes(b"".join(dump_run_log(run_log)))
    assert load_run_log("r1", Path("r1.json")).parameters["x"].value == "half \ud83d"


def test_without_durability_only_the_first_record_is_written_before_the_end():
    store = FileSystemRunLogStore(log_folder="logs", durability="none")
    journal = store.create("r1", step(0))
    journal.append(step(1))
    assert list(store.read("r1")) == [step(0)]
    journal.close()
    assert list(store.read("r1")) == [step(0), step(1)]


@pytest.mark.parametrize("content", [b"", b'{"crc32":"01'])
def test_a_run_without_a_record_is_taken_over(store, content):
    """A failure of power may leave a segment without what was written to it."""
    Path("logs").mkdir()
    Path("logs/r1.000001.jsonl").write_bytes(content)
    store.create("r1", step(0)).append(step(1))
    assert list(store.read("r1")) == [step(0), step(1)]
    with pytest.raises(RunLogExistsError):
        store.create("r1", step(0))
    assert len(list(Path("logs").iterdir())) == 1


def test_the_latest_runs_come_first():
    for run_id in ("b", "a", "c"):
        Stub(name="s").as_pipeline().execute(run_id=run_id)
        time.sleep(0.02)
    store = FileSystemRunLogStore()
    assert store.latest_first(["a", "b", "c", "gone"]) == ["c", "a", "b", "gone"]
