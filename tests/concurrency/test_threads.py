"""Few threads, no standstill, and none left behind."""

import threading

import pytest

from runnable.concurrency import Threads


def ends(thread):
    thread.join(60)
    return not thread.is_alive()


def test_threads_end_when_they_have_nothing_to_do():
    threads = Threads(idle_seconds=0.01)
    (thread,) = {threads.submit(threading.current_thread).result() for _ in range(5)}
    assert ends(thread)
    assert threads.submit(lambda: 1).result(60) == 1


def test_a_thread_is_used_again():
    threads = Threads(idle_seconds=60)
    first = threads.submit(threading.get_ident).result()
    found = {threads.submit(threading.get_ident).result() for _ in range(20)}
    assert len(found | {first}) <= 3


def test_jobs_wait_when_there_are_enough_threads():
    threads = Threads(limit=2)
    release = threading.Event()
    running = threading.Semaphore(0)

    def hold():
        running.release()
        return release.wait(60)

    futures = [threads.submit(hold) for _ in range(5)]
    for _ in range(2):
        assert running.acquire(timeout=60)
    assert not running.acquire(timeout=0.05)
    assert futures[4].cancel()
    release.set()
    assert all(future.result(60) for future in futures[:4])


def test_a_thread_that_waits_for_another_one_gets_it():
    """However few there are: nested jobs come to no standstill."""
    threads = Threads(limit=1)

    def nested(depth):
        return threads.submit(lambda: nested(depth - 1)).result(60) + 1 if depth else 0

    assert threads.submit(lambda: nested(20)).result(60) == 20


def test_an_urgent_job_does_not_wait():
    threads = Threads(limit=1)
    release = threading.Event()
    first = threads.submit(lambda: release.wait(60))
    waiting = threads.submit(lambda: "later")
    assert threads.submit(lambda: "now", urgent=True).result(60) == "now"
    assert not waiting.done()
    release.set()
    assert (first.result(60), waiting.result(60)) == (True, "later")


def test_errors_are_those_of_the_function():
    with pytest.raises(SystemExit):
        Threads().submit(lambda: (_ for _ in ()).throw(SystemExit(3))).result(60)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own():
    import os

    threads = Threads(idle_seconds=60)
    assert threads.submit(lambda: 1).result(60) == 1
    child = os.fork()
    if not child:
        answer = threads.submit(lambda: 2).result(30)
        os._exit(answer)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 2
