"""Who runs a run, and whether that process is still there."""

import os
import subprocess
import sys
import threading
import time

from runnable.datastore import (
    Heartbeat,
    PartFinished,
    PartStarted,
    RunFinished,
    RunResumed,
    RunStarted,
)
from runnable.engine.history import History
from runnable.engine.owners import Owner, Owners, claim_of, is_alive, this_process
from runnable.engine.recorder import Recorder
from runnable.under_way import UnderWay

OLD = 0.0


def test_this_process_is_alive():
    assert is_alive(this_process(), OLD)
    assert f"process {os.getpid()} on " in str(this_process())


def test_a_process_that_ended_is_gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert not is_alive(this_process()._replace(process_id=process.pid), time.time())


def test_another_process_of_the_same_number_is_not_it():
    assert not is_alive(this_process()._replace(process_began="earlier"), time.time())
    # Where that is not known, the number has to do.
    assert is_alive(this_process()._replace(process_began=""), OLD)


def test_on_another_host_what_is_heard_tells():
    owner = Owner("elsewhere", 1, "")
    assert is_alive(owner, time.time() - 30)
    assert not is_alive(owner, time.time() - 90)


def test_a_heartbeat_is_heard():
    start = RunStarted("", "r1", "", "", {}, {}, [], "elsewhere", 1, "", 5.0)
    history = History([start, Heartbeat("", 100.0)])
    assert (history.owners.last_heartbeat, history.count) == (100.0, 2)
    assert [it.owner for it in history.owners.claims] == [Owner("elsewhere", 1, "")]


def test_who_runs_a_part_is_known_until_it_leaves():
    start = RunStarted("", "r1", "", "", {}, {}, [], "h", 1, "", 5.0)
    joined = PartStarted("", "s", "h", 2, "", 7.0)
    left = PartFinished("", "s", "h", 2, "")
    first, part = Owner("h", 1, ""), Owner("h", 2, "")
    for records, at_work in (
        ([start, joined, joined], [first, part, part]),
        ([start, joined, joined, left], [first, part]),
        ([start, joined, RunFinished("", "FAIL"), joined], [part]),
        ([start, joined, RunResumed("", [], "h", 3)], [Owner("h", 3, "")]),
        ([start, left], [first]),
    ):
        assert [it.owner for it in History(records).owners.claims] == at_work


class Kept(list):
    """A journal."""

    def close(self):
        """Keep it."""


def test_one_thread_beats_for_all_runs_and_ends_with_them(monkeypatch):
    monkeypatch.setattr("runnable.under_way.HEARTBEAT_SECONDS", 0.01)
    under_way, journal = UnderWay(), Kept()
    recorder = Recorder(journal, [])
    beaten = threading.Event()

    def fail():
        beaten.set()
        raise OSError("disk full")

    under_way.add("a", fail)
    under_way.add("b", recorder.beat)
    assert beaten.wait(30)
    end = time.monotonic() + 30
    while not journal and time.monotonic() < end:
        time.sleep(0.01)
    assert isinstance(journal[0], Heartbeat)
    under_way.release("a")
    under_way.release("b")
    while under_way._thread is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert under_way._thread is None
    assert not under_way.has("a")
    recorder.close()
    count = len(journal)
    recorder.beat()
    assert len(journal) == count


def test_who_asks_does_not_bring_anybody_back():
    owners = Owners()
    owners.add(PartStarted("1", "a", "pod-7", 1, "boot:1:pid:[9]", time.time() - 7200))
    mine = PartStarted("2", "a", *this_process(), time.time())
    owners.add(mine)
    assert owners.in_the_way("a", claim_of(mine), runs_here=False) is None


def test_who_came_too_late_leaves_the_first_one_alone():
    owners = Owners()
    first, second = (
        PartStarted(at, "a", *this_process(), time.time()) for at in ("1", "2")
    )
    owners.add(first)
    owners.add(second)
    assert owners.in_the_way("a", claim_of(first), runs_here=False) is None
    assert owners.in_the_way("a", claim_of(second), runs_here=False) is not None
    owners.add(PartFinished("3", "a", *this_process()))
    assert owners.in_the_way("a", claim_of(first), runs_here=False) is None
