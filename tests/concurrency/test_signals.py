"""A second Ctrl-C, wherever it comes, does not keep a run from recording its end."""

import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from runnable.concurrency import held_signals

SCRIPT = """
import os, signal, sys, time
from runnable import Pipeline, PythonTask
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.context import get_run_context

def interrupt(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(100):
        pass  # here, Python would raise it

class Interrupting(FileSystemRunLogStore):
    def get_run_log_by_id(self, *args, **kwargs):
        if where == "reading":
            interrupt()
        return super().get_run_log_by_id(*args, **kwargs)

    def finish(self, run_log):
        if where == "finishing":
            interrupt()
        super().finish(run_log)

def watch(event):
    if type(event).__name__ == where and event.status == "CANCELLED":
        interrupt()

def work():
    get_run_context().subscribe(watch)
    interrupt()
    time.sleep(60)

where = sys.argv[1]
Pipeline(steps=[PythonTask(name="a", function=work)]).execute(
    run_id="r1", services={"run_log_store": Interrupting()}
)
"""


@pytest.mark.parametrize(
    "where", ["StepFinished", "RunFinished", "reading", "finishing", "nowhere"]
)
def test_the_log_of_a_run_that_is_interrupted_twice_is_there(where, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    finished = subprocess.run(
        [sys.executable, str(script), where],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == -signal.SIGINT, finished.stderr
    log = json.loads((tmp_path / ".run_log_store" / "r1.json").read_text())
    assert log["status"] == "CANCELLED"


def test_signals_are_heard_again_after_the_block():
    before = signal.getsignal(signal.SIGINT)
    with held_signals():
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_whoever_insists_is_heard():
    with pytest.raises(KeyboardInterrupt), held_signals():
        for _ in range(10):
            signal.raise_signal(signal.SIGINT)


def test_other_threads_change_no_handler():
    seen = []

    def look():
        with held_signals():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGINT)]
