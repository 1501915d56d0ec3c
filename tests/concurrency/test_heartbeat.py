"""One thread records for all active runs of a process that they are active."""

import threading
import time

from runnable.concurrency.heartbeat import Heartbeats
from runnable.engine.recorder import Recorder
from runnable.journal import Heartbeat, RunState


class Kept(list):
    """A journal."""

    def close(self):
        """Keep it."""


def test_one_thread_beats_for_all_runs_and_ends_with_them(monkeypatch):
    monkeypatch.setattr("runnable.concurrency.heartbeat.HEARTBEAT_SECONDS", 0.01)
    heartbeats, journal = Heartbeats(), Kept()
    recorder = Recorder(journal, [], RunState())
    beaten = threading.Event()

    def fail():
        beaten.set()
        raise OSError("disk full")

    heartbeats.add("a", fail)
    heartbeats.add("b", recorder.beat)
    assert beaten.wait(30)
    end = time.monotonic() + 30
    while not journal and time.monotonic() < end:
        time.sleep(0.01)
    assert isinstance(journal[0], Heartbeat)
    heartbeats.release("a")
    heartbeats.release("b")
    while heartbeats._thread is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert heartbeats._thread is None
    assert not heartbeats.has("a")
    recorder.close()
    count = len(journal)
    recorder.beat()
    assert len(journal) == count
