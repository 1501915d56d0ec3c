"""Limits that processes share."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from runnable.concurrency import MachineLimiter
from runnable.errors import ConfigurationError

GPU = {"gpu": 1}
HOLDER = """
import sys, time
from pathlib import Path
from runnable.concurrency import MachineLimiter
limiter = MachineLimiter({"gpu": int(sys.argv[2])}, Path(sys.argv[1]))
slot = limiter.acquire({"gpu": 1})
if slot is not None:
    slot.result(60)
print("held", flush=True)
time.sleep(600)
"""
COUNTER = """
import sys, time
from pathlib import Path
from runnable.concurrency import MachineLimiter
folder = Path(sys.argv[1])
limiter = MachineLimiter({"gpu": 2}, folder / "limits")
for number in range(5):
    slot = limiter.acquire({"gpu": 1})
    if slot is not None:
        slot.result(60)
    mine = folder / f"active-{sys.argv[2]}-{number}"
    mine.touch()
    print(len(list(folder.glob("active-*"))), flush=True)
    time.sleep(0.01)
    mine.unlink()
    limiter.release({"gpu": 1})
"""


def start(program, *arguments):
    """Start a program, as a process of its own."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def holder(tmp_path):
    """A process that holds the only GPU."""
    process = start(HOLDER, tmp_path, 1)
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_process_that_dies_gives_back_what_it_holds(tmp_path, holder):
    limiter = MachineLimiter(GPU, tmp_path)
    slots = [limiter.acquire(GPU) for _ in range(2)]
    time.sleep(0.2)
    assert not any(it.done() for it in slots)
    os.kill(holder.pid, signal.SIGKILL)
    slots[0].result(30)
    assert not slots[1].done()
    limiter.release(GPU)
    slots[1].result(30)
    limiter.release(GPU)
    assert limiter.acquire(GPU) is None


def test_processes_never_hold_more_than_there_is(tmp_path):
    (tmp_path / "limits").mkdir()
    processes = [start(COUNTER, tmp_path, number) for number in range(4)]
    counts = "".join(it.communicate(timeout=60)[0] for it in processes).split()
    assert [it.returncode for it in processes] == [0] * 4
    assert len(counts) == 20
    assert {*counts} <= {"1", "2"}


def test_who_came_first_is_first_whatever_the_process(tmp_path, holder):
    """Another process waits before and after this one."""
    first = start(HOLDER, tmp_path, 1)
    wait_for(tmp_path, 2)
    limiter = MachineLimiter(GPU, tmp_path)
    second = limiter.acquire(GPU)
    third = start(HOLDER, tmp_path, 1)
    try:
        wait_for(tmp_path, 4)
        holder.kill()
        assert first.stdout.readline() == "held\n"
        assert not second.done()
        first.kill()
        second.result(30)
        limiter.release(GPU)
        assert third.stdout.readline() == "held\n"
    finally:
        for it in (first, third):
            it.kill()
            it.communicate()


def wait_for(folder, count):
    """Wait until so many callers of any process have or want slots."""
    end = time.monotonic() + 30
    while len(json.loads((folder / "queue").read_text())) < count:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_each_process_keeps_to_its_own_number(tmp_path, holder):
    assert MachineLimiter({"gpu": 2}, tmp_path).acquire(GPU) is None
    assert not MachineLimiter(GPU, tmp_path).acquire(GPU).done()


def test_who_gives_up_is_in_nobody_s_way(tmp_path, holder):
    limiter = MachineLimiter({"gpu": 2, "api": 1}, tmp_path)
    both = {"gpu": 2, "api": 1}
    first, second = limiter.acquire(both), limiter.acquire({"api": 1})
    assert not second.done()
    limiter.give_up(first, both)
    second.result(30)
    limiter.release({"api": 1})
    assert not first.done()


def test_threads_of_one_process(tmp_path):
    limiter, inside, most = MachineLimiter({"gpu": 2}, tmp_path), [], []

    def use(number):
        if (slot := limiter.acquire(GPU)) is not None:
            slot.result(60)
        inside.append(number)
        most.append(len(inside))
        time.sleep(0.002)
        inside.remove(number)
        limiter.release(GPU)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(24)))
    assert max(most) <= 2
    assert json.loads((tmp_path / "queue").read_text()) == []


def test_files_of_dead_processes_are_removed(tmp_path, holder):
    holder.kill()
    holder.wait()
    limiter = MachineLimiter(GPU, tmp_path)
    assert limiter.acquire(GPU) is None
    assert len([*tmp_path.glob("process-*")]) == 1


def test_a_folder_that_cannot_be_used(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigurationError, match=r"the limits folder '.*file' cannot"):
        MachineLimiter(GPU, file)


def test_a_damaged_queue_is_no_silent_success(tmp_path):
    limiter = MachineLimiter(GPU, tmp_path)
    Path(tmp_path / "queue").write_text("[{")
    with pytest.raises(OSError, match=r"queue is damaged .* remove it"):
        limiter.acquire(GPU)
