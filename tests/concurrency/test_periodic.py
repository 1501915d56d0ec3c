"""Things that are saved now and then."""

import os
import threading

from runnable.concurrency import Periodic


def test_something_is_saved_until_it_is_over_and_then_the_thread_ends():
    calls, is_over = [], threading.Event()

    def save():
        calls.append(threading.current_thread())
        if len(calls) == 2:
            is_over.set()
        return not is_over.is_set()

    Periodic().watch(save)
    assert is_over.wait(60)
    for thread in calls:
        thread.join(60)
    assert len(calls) == 2
    assert threading.current_thread() not in calls


def test_one_that_fails_is_tried_again_and_disturbs_no_other():
    failed, other = threading.Semaphore(0), threading.Event()
    is_over = threading.Event()

    def fail():
        failed.release()
        if is_over.is_set():
            return False
        raise OSError("it is away")

    periodic = Periodic()
    periodic.watch(fail)
    periodic.watch(lambda: other.set() or False)
    assert other.wait(60)
    assert failed.acquire(timeout=60)
    assert failed.acquire(timeout=60)
    is_over.set()


def test_a_child_that_was_forked_saves_nothing():
    periodic, calls = Periodic(), []
    child = os.fork()
    if not child:
        periodic.watch(lambda: calls.append(1) or False)
        os._exit(len(threading.enumerate()) - 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
