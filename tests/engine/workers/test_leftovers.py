"""What is left in a worker process is noticed where it matters."""

import sys
import threading
import time
from pathlib import Path

import pytest

from runnable.engine.workers.leftovers import Leftovers


@pytest.fixture
def module(monkeypatch, tmp_path):
    """Import a module of the project's own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    Path("leftover_module.py").write_text("VALUE = 1\n")
    time.sleep(0.02)
    yield __import__("leftover_module")
    del sys.modules["leftover_module"]


def test_nothing_is_left_at_first(module):
    leftovers = Leftovers()
    leftovers.note(time.time_ns())
    assert not leftovers.matter()


@pytest.mark.parametrize("change", ["edit", "delete", "edit during the work"])
def test_a_changed_module_matters(module, change):
    leftovers, began = Leftovers(), time.time_ns()
    time.sleep(0.02)
    if change != "edit during the work":
        leftovers.note(began)
    if change == "delete":
        Path(module.__file__).unlink()
    else:
        Path(module.__file__).write_text("VALUE = 2\n")
    leftovers.note(began)
    assert leftovers.matter()


def test_a_thread_matters_until_it_ends():
    leftovers, end = Leftovers(), threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    assert leftovers.matter()
    end.set()
    thread.join()
    assert not leftovers.matter()
