"""A task in a worker process has the result that it has in a thread."""

import functools
import pickle
import subprocess
import sys

import pytest

from runnable.engine.workers.pickling import dumps

SCRIPT = """
import faulthandler, functools, multiprocessing, subprocess, sys
from runnable import Pipeline, PythonTask

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}

class StopIt(BaseException):
    pass

def traced(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)
    return wrapper

@functools.lru_cache
def cached():
    return "cached"

@functools.cache
def helper(x):
    return x * 2

def calls_helper():
    return helper(21)

@functools.singledispatch
def of_any(x):
    return "any"

@of_any.register
def of_text(x: str):
    return "text"

def generic():
    return of_any("t") + of_any(1)

@traced
def wrapped():
    return "wrapped"

def stops():
    raise StopIt("the reason")

def interrupts():
    raise KeyboardInterrupt("mine")

def numbered():
    return sys.stdout.fileno() >= 0 and sys.stderr.fileno() >= 0

def dumps_traces():
    faulthandler.enable()
    faulthandler.disable()
    return True

def starts_a_program():
    return subprocess.run(["true"], stdout=sys.stdout, stderr=sys.stderr).returncode

def result(function, workspace):
    task = PythonTask(
        name="t", function=function, returns=["x"], workspace=workspace
    )
    try:
        run_log = Pipeline(steps=[task]).execute(services=IN_MEMORY)
        return run_log.parameters["x"].value
    except BaseException as error:
        return f"{type(error).__qualname__}: {error}"

def show(name):
    function = globals()[name]
    print(name, [result(function, it) for it in ("shared", "isolated")], flush=True)

if __name__ == "__main__":
    name, method = sys.argv[1:]
    if method == "here":
        show(name)
    else:
        child = multiprocessing.get_context(method).Process(target=show, args=[name])
        child.start()
        child.join()
        sys.exit(child.exitcode)
"""


RESULTS = {
    "cached": "cached",
    "calls_helper": 42,
    "generic": "textany",
    "wrapped": "wrapped",
    "stops": "StopIt: the reason",
    "interrupts": "KeyboardInterrupt: mine",
    "numbered": True,
    "dumps_traces": True,
    "starts_a_program": 0,
}
STARTED_BY_MULTIPROCESSING = [
    (name, method)
    for name in ("cached", "generic", "wrapped")
    for method in ("spawn", "forkserver")
]


@pytest.mark.parametrize(
    ("name", "method"),
    [*((name, "here") for name in RESULTS), *STARTED_BY_MULTIPROCESSING],
)
def test_a_worker_has_the_result_of_a_thread(name, method, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(script), name, method],
        text=True,
        capture_output=True,
        check=False,
    )
    expected = [RESULTS[name]] * 2
    assert done.stdout == f"{name} {expected!r}\n", done.stderr
    assert done.returncode == 0


def test_wrappers_within_a_function_are_rebuilt():
    @functools.lru_cache(maxsize=7, typed=True)
    def double(x):
        return 2 * x

    copy = pickle.loads(dumps(double))
    assert copy(4) == 8
    assert copy.cache_parameters() == {"maxsize": 7, "typed": True}
    assert pickle.loads(dumps(functools.reduce)) is functools.reduce


def test_what_can_be_imported_goes_by_its_name():
    import re

    assert pickle.loads(dumps(re.escape)) is re.escape
    assert pickle.loads(dumps(functools.singledispatch)) is functools.singledispatch
