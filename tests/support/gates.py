"""Containers with limits, and tasks that go on until they are let go."""

import threading
import time

from dependency_injector import providers

from containers import RunContainer
from runnable import PythonTask
from runnable.concurrency import Runs

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


def container_with(**limits):
    class Limited(RunContainer):
        runs = providers.ThreadSafeSingleton(Runs, **limits)

    return Limited()


class Gate:
    """Counts who is inside, and lets them out when it is opened."""

    def __init__(self):
        self.lock = threading.Lock()
        self.inside = self.most = self.entered = 0
        self.opened = threading.Event()

    def enter(self):
        with self.lock:
            self.inside += 1
            self.entered += 1
            self.most = max(self.most, self.inside)

    def leave(self):
        with self.lock:
            self.inside -= 1

    def __call__(self):
        self.enter()
        try:
            while not self.opened.wait(0.01):
                pass
        finally:
            self.leave()

    def wait_for(self, entered):
        wait_until(lambda: self.entered >= entered)


def wait_until(true, seconds=60):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "what is waited for does not come"
        time.sleep(0.002)


def pipeline_of(gate):
    return PythonTask(name="s", function=gate).as_pipeline()
