"""Records are kept in order, told afterwards, and nothing follows an end."""

import logging

import pytest

from runnable.datastore import (
    BranchFinished,
    BranchStarted,
    RunFinished,
    RunStarted,
    RunState,
    StepFinished,
    StepStarted,
)
from runnable.datastore.memory import MemoryRunLogStore
from runnable.engine.recorder import Recorder, TooLateError, UnrecordedError
from runnable.events import TaskEvent

START = RunStarted("now", "r1", "", "", {}, {}, [])


def started(path, attempt=1):
    return StepStarted("now", path, path.rpartition(".")[2], "task", attempt)


def finished(path, attempt=1, status="SUCCESS"):
    return StepFinished("now", path, status, {}, [], attempt)


def recorder(*subscribers):
    store = MemoryRunLogStore()
    state = RunState([START])
    return Recorder(store.create("r1", START), subscribers, state), store


def test_an_end_ends_everything_inside_first():
    kept, store = recorder()
    kept.record(started("p", 0))
    for branch in ("p.a", "p.b"):
        kept.record(BranchStarted("now", branch, {}))
        kept.record(started(f"{branch}.s"))
    kept.record(finished("p.b.s"))
    kept.record(finished("p", 0, "CANCELLED"))
    records = list(store.read("r1"))[7:]
    assert [(record.path, record.status) for record in records] == [
        ("p.b", "CANCELLED"),
        ("p.a.s", "CANCELLED"),
        ("p.a", "CANCELLED"),
        ("p", "CANCELLED"),
    ]
    for late in (
        finished("p.a.s"),
        BranchFinished("now", "p.a", "FAIL"),
        finished("p"),
    ):
        with pytest.raises(TooLateError):
            kept.record(late)
    kept.record(RunFinished("now", "CANCELLED"))
    with pytest.raises(TooLateError, match="the run is over"):
        kept.record(started("q"))
    assert len(list(store.read("r1"))) == 12


def test_only_items_inside_a_branch_are_ended():
    kept, store = recorder()
    kept.record(started("p", 0))
    for branch in ("p.a", "p.ab"):
        kept.record(BranchStarted("now", branch, {}))
        kept.record(started(f"{branch}.s"))
    kept.end_open("FAIL", "gone", below="p.a")
    (ended,) = list(store.read("r1"))[6:]
    assert (ended.path, ended.message) == ("p.a.s", "gone")


def test_records_are_written_before_they_are_reported():
    seen = []

    def look(event):
        seen.append((event, list(store.read("r1"))[-1:] == [event]))

    kept, store = recorder(look)
    kept.record(started("s"))
    kept.notify(TaskEvent("s", {"type": "t"}))
    assert seen == [(started("s"), True), (TaskEvent("s", {"type": "t"}), False)]


def test_a_subscriber_that_fails_does_not_disturb_others(caplog):
    seen = []

    def fail(event):
        raise ValueError("tired")

    kept, _ = recorder(fail, seen.append)
    with caplog.at_level(logging.ERROR, "runnable"):
        kept.record(started("s"))
    assert seen == [started("s")]
    assert "A subscriber failed at 'StepStarted'" in caplog.text
    assert "tired" in caplog.text


def test_an_unwritten_record_is_not_reported():
    class Full:
        def append(self, record):
            raise OSError("full")

    seen = []
    kept = Recorder(Full(), [seen.append], RunState([START]))
    with pytest.raises(UnrecordedError) as caught:
        kept.record(started("s"))
    assert isinstance(caught.value.__cause__, OSError)
    assert seen == []
