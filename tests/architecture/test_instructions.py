"""What imports and steps cost, counted in instructions of the processor.

`valgrind` counts them: the same number each time, whatever else the machine does. The
unit is what pydantic and dependency-injector need, or the start of Python: so another
build of Python changes little. Limits are a tenth above what was counted last.
"""

import re
import shutil
import subprocess
import sys

import pytest

BASE = """
import sys
for name in ("fastapi.params", "starlette.requests", "werkzeug.local"):
    sys.modules[name] = None
from pydantic import BaseModel
import dependency_injector.containers, dependency_injector.wiring
class Model(BaseModel):
    x: int = 1
Model()
"""
RUN = """
import gc
import os
gc.disable()  # one collection more or less would count for much
from runnable import Pipeline, PythonTask
def add(x):
    return x + 1
none = {"type": "do-nothing"}
services = {"run_log_store": {"type": "memory"}, "catalog": none, "secrets": none}
def run(count):
    steps = [PythonTask(name=f"s{it}", function=add, returns=["x"]) for it in range(count)]
    Pipeline(steps=steps).execute(parameters={"x": 0}, services=services)
run(2)
child = os.fork()  # what comes before counts for both
run(60 if child else 10)
if child:
    os.waitpid(child, 0)
"""

pytestmark = pytest.mark.skipif(
    shutil.which("valgrind") is None, reason="valgrind is not installed"
)


def instructions(code, folder):
    """Count those of a program, and of each process that it forks; the least first."""
    tool = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    for prefix in ([], tool):  # the first time, modules are compiled
        ran = subprocess.run(
            [*prefix, sys.executable, "-c", code],
            cwd=folder,
            env={"PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=True,
        )
    counted = sorted(map(int, re.findall(r"Collected : (\d+)", ran.stderr)))
    assert counted, ran.stderr
    return counted


def test_imports(tmp_path):
    bare, base, ours, alone = (
        instructions(code, tmp_path)[0]
        for code in (
            "pass",
            BASE,
            "from runnable import Pipeline, PythonTask",
            "import runnable",
        )
    )
    print(f"authoring import: {(ours - bare) / (base - bare):.3f} of its libraries")
    print(f"import runnable: {(alone - bare) / bare:.3f} of the start of Python")
    assert (ours - bare) / (base - bare) <= 1.3
    assert (alone - bare) / bare <= 0.2


def test_a_step(tmp_path):
    bare = instructions("pass", tmp_path)[0]
    few, many = instructions(RUN, tmp_path)
    print(f"a step: {(many - few) / 50 / bare:.5f} of the start of Python")
    assert (many - few) / 50 / bare <= 0.013
