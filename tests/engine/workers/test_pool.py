"""Worker processes: reused within a run, and gone with it."""

import os
import signal

import pytest

from runnable.engine.workers.pool import Worker, WorkerGoneError, Workers


@pytest.fixture
def workers():
    workers = Workers()
    yield workers
    workers.close()


def process_id(worker):
    return worker._process.pid


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_an_idle_worker_is_taken_again_and_a_busy_one_is_not(workers):
    assert not workers.were_started
    first = workers.take()
    second = workers.take()
    assert process_id(first) != process_id(second)
    workers.give_back(first)
    assert workers.take() is first
    assert workers.were_started


def test_closing_ends_idle_and_busy_ones_and_may_be_repeated(workers):
    idle, busy = workers.take(), workers.take()
    workers.give_back(idle)
    workers.close()
    assert not is_alive(process_id(idle))
    assert not is_alive(process_id(busy))
    workers.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_reason_of_its_end_is_reported(number, server):
    worker = Worker(server)
    os.kill(process_id(worker), number)
    with pytest.raises(WorkerGoneError):
        worker.receive()
    assert worker.end_reason() == f"signal {int(number)}"


def test_nothing_can_be_sent_to_a_worker_that_has_gone(server):
    worker = Worker(server)
    worker.kill()
    with pytest.raises(WorkerGoneError):
        worker.receive()
    worker.end_reason()
    with pytest.raises(WorkerGoneError):
        worker.send("hello")
