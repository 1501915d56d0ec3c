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
        def append(self, *records):
            raise OSError("full")

    seen = []
    kept = Recorder(Full(), [seen.append], RunState([START]))
    with pytest.raises(UnrecordedError) as caught:
        kept.record(started("s"))
    assert isinstance(caught.value.__cause__, OSError)
    assert seen == []


def holding(journal=None):
    store = MemoryRunLogStore()
    kept = store.create("r1", START)
    return Recorder(journal or kept, (), RunState([START]), holds=True), store


def test_what_is_held_is_written_with_the_next_record():
    kept, store = holding()
    kept.record(started("s"))
    assert kept.hold(finished("s"))
    assert kept.state.step("s").status == "SUCCESS"
    assert list(store.read("r1")) == [START, started("s")]
    kept.record(started("t"))
    assert list(store.read("r1"))[2:] == [finished("s"), started("t")]
    assert kept.hold(finished("t"))
    kept.flush()
    assert list(store.read("r1"))[4:] == [finished("t")]
    kept.flush()


def test_nothing_is_held_if_someone_is_to_be_notified():
    kept, _ = recorder()
    kept.record(started("s"))
    assert not kept.hold(finished("s"))
    assert "s" in kept.state.open


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt()])
def test_nothing_follows_what_may_be_missing_but_the_end_of_the_run(error):
    class Failing:
        written = []

        def append(self, *records):
            if len(self.written) == 1:
                self.written.append("")
                raise error
            self.written.append(records)

    kept, _ = holding(Failing())
    kept.record(started("p", 0))
    assert kept.hold(BranchStarted("now", "p.a", {}))
    assert kept.is_certain
    with pytest.raises((UnrecordedError, KeyboardInterrupt)):
        kept.record(started("p.a.s"))
    assert not kept.is_certain
    with pytest.raises(UnrecordedError) as caught:
        kept.record(finished("p", 0))
    assert caught.value.__cause__ is error
    kept.end_open("FAIL", "it was left behind")
    kept.record(RunFinished("now", "FAIL"))
    assert Failing.written == [
        (started("p", 0),),
        "",
        (RunFinished("now", "FAIL"),),
    ]
    Failing.written.clear()
