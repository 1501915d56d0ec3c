"""Limits that processes share."""

import json
import os
import shutil
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
limiter = MachineLimiter(Path(sys.argv[1]))
slot = limiter.acquire(limiter.new_ticket(), {"gpu": 1}, {"gpu": int(sys.argv[2])})
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
limiter = MachineLimiter(folder / "limits")
for number in range(5):
    ticket = limiter.new_ticket()
    slot = limiter.acquire(ticket, {"gpu": 1}, {"gpu": 2})
    if slot is not None:
        slot.result(60)
    mine = folder / f"active-{sys.argv[2]}-{number}"
    mine.touch()
    print(len(list(folder.glob("active-*"))), flush=True)
    time.sleep(0.01)
    mine.unlink()
    limiter.leave(ticket)
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
    limiter = MachineLimiter(tmp_path)
    slots = [limiter.acquire(it, GPU, GPU) for it in "ab"]
    time.sleep(0.2)
    assert not any(it.done() for it in slots)
    os.kill(holder.pid, signal.SIGKILL)
    slots[0].result(30)
    assert not slots[1].done()
    limiter.leave("a")
    slots[1].result(30)
    limiter.leave("b")
    limiter.leave("b")  # once more does nothing
    assert limiter.acquire("c", GPU, GPU) is None


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
    limiter = MachineLimiter(tmp_path)
    second = limiter.acquire("t", GPU, GPU)
    third = start(HOLDER, tmp_path, 1)
    try:
        wait_for(tmp_path, 4)
        holder.kill()
        assert first.stdout.readline() == "held\n"
        assert not second.done()
        first.kill()
        second.result(30)
        limiter.leave("t")
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
    assert MachineLimiter(tmp_path).acquire("a", GPU, {"gpu": 2}) is None
    assert not MachineLimiter(tmp_path).acquire("b", GPU, GPU).done()


def test_who_gives_up_is_in_nobody_s_way(tmp_path, holder):
    limiter, limits = MachineLimiter(tmp_path), {"gpu": 2, "api": 1}
    first = limiter.acquire("a", limits, limits)
    second = limiter.acquire("b", {"api": 1}, limits)
    assert not second.done()
    limiter.leave("a")
    second.result(30)
    assert not first.done()


def test_threads_of_one_process(tmp_path):
    limiter, inside, most = MachineLimiter(tmp_path), [], []

    def use(number):
        if (slot := limiter.acquire(str(number), GPU, {"gpu": 2})) is not None:
            slot.result(60)
        inside.append(number)
        most.append(len(inside))
        time.sleep(0.002)
        inside.remove(number)
        limiter.leave(str(number))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(24)))
    assert max(most) <= 2
    assert json.loads((tmp_path / "queue").read_text()) == []


def test_a_folder_that_is_gone_for_a_while_loses_no_slot(tmp_path):
    folder = tmp_path / "limits"
    limiter = MachineLimiter(folder)
    assert limiter.acquire("a", GPU, GPU) is None
    folder.rename(tmp_path / "away")
    (tmp_path / "limits").touch()  # so that it cannot be made anew
    with pytest.raises(OSError):
        limiter.leave("a")
    folder.unlink()
    (tmp_path / "away").rename(folder)
    assert limiter.acquire("b", GPU, GPU) is None


def test_a_folder_that_is_deleted_is_made_anew(tmp_path):
    limiter = MachineLimiter(tmp_path / "limits")
    shutil.rmtree(tmp_path / "limits")
    assert limiter.acquire("a", GPU, GPU) is None
    other = MachineLimiter(tmp_path / "limits").acquire("b", GPU, GPU)
    assert not other.done()


def test_a_task_that_changes_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    limiter = MachineLimiter(Path("limits"))
    monkeypatch.chdir("/")
    assert limiter.acquire("a", GPU, GPU) is None


def test_files_of_dead_processes_are_removed(tmp_path, holder):
    holder.kill()
    holder.wait()
    limiter = MachineLimiter(tmp_path)
    assert limiter.acquire("a", GPU, GPU) is None
    assert len([*tmp_path.glob("process-*")]) == 1


def test_a_folder_that_cannot_be_used(tmp_path):
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigurationError, match=r"the limits folder '.*file' cannot"):
        MachineLimiter(file)


@pytest.mark.parametrize("content", [b"[{", b"\xff\xfe[", b"[1]", b"3", b'[{"x": 1}]'])
def test_a_damaged_queue_is_no_silent_success(content, tmp_path, holder):
    limiter, damaged = MachineLimiter(tmp_path), r"queue is damaged .* remove it"
    waiting = limiter.acquire("a", GPU, GPU)
    before = (tmp_path / "queue").read_bytes()
    (tmp_path / "queue").write_bytes(content)
    with pytest.raises(OSError, match=damaged):
        waiting.result(30)
    with pytest.raises(OSError, match=damaged):
        limiter.acquire("b", GPU, GPU)
    (tmp_path / "queue").write_bytes(before)
    holder.kill()
    limiter.leave("a")
    slot = limiter.acquire("c", GPU, GPU)
    assert slot is None or slot.result(30) is None
