"""Standard streams, which also go to the log of the step that writes."""

import contextlib
import io
import logging
import subprocess
import sys
from pathlib import Path

from runnable import Pipeline, PythonTask
from runnable.capture import active_run


def log_of(function):
    Pipeline(steps=[PythonTask(name="s", function=function)]).execute(run_id="r1")
    logs = list(Path(".catalog/r1").glob("s???.execution.log"))
    return logs[0].read_text() if logs else ""


def test_output_is_shown_and_kept(capsys):
    def talk():
        print("out")
        print("err", file=sys.stderr)
        sys.stdout.writelines(["a\n", "b\n"])
        sys.stdout.flush()
        assert sys.stdout.encoding

    assert log_of(talk) == "out\nerr\na\nb\n"
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("out\na\nb\n", "err\n")


def test_a_stream_that_the_user_puts_in_place_is_left_alone():
    mine = io.StringIO()

    def redirect():
        with contextlib.redirect_stdout(mine):
            print("for me")
        print("for all")

    assert log_of(redirect) == "for all\n"
    assert mine.getvalue() == "for me\n"


def test_a_replaced_stream_survives_the_run(monkeypatch):
    mine = io.StringIO()

    def replace():
        monkeypatch.setattr(sys, "stdout", mine)

    log_of(replace)
    assert sys.stdout is mine


def test_without_a_stream_nothing_is_routed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    assert log_of(lambda: print("nowhere")) == ""


def test_handlers_are_pointed_back(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    try:
        with active_run():
            assert handler.stream is sys.stderr is not stream
        assert handler.stream is sys.stderr is stream
    finally:
        logging.getLogger().removeHandler(handler)


COMING_AND_GOING = """
import sys, threading
sys.setswitchinterval(1e-6)
from runnable import PythonTask
services = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}
pipeline = PythonTask(name="s", function=lambda: 1).as_pipeline()
over = threading.Event()
def talk():
    while not over.is_set():
        print("x", "y", {"a": [1] * 50}, "z")
threads = [threading.Thread(target=talk) for _ in range(4)]
for thread in threads:
    thread.start()
for _ in range(2000):
    pipeline.execute(services=services)
over.set()
"""


def test_other_threads_print_while_runs_come_and_go():
    finished = subprocess.run(
        [sys.executable, "-c", COMING_AND_GOING], stdout=subprocess.DEVNULL, check=False
    )
    assert finished.returncode == 0  # and not killed by SIGSEGV
