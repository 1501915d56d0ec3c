"""What a step and a run cost, counted in calls: the same number on every machine.

A step that calls more functions than before takes longer. These limits are a tenth
above what was counted last; `tests/benchmarks/targets.py` measures what it comes to.
"""

import subprocess
import sys

import pytest

from runnable import Map, Pipeline, PythonTask

NONE = {"type": "do-nothing"}
IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": NONE, "secrets": NONE}


def add(x):
    return x + 1


def chain(count):
    names = [f"s{number}" for number in range(count)]
    steps = [PythonTask(name=it, function=add, returns=["x"]) for it in names]
    return Pipeline(steps=steps)


def calls(function):
    """Count the calls of functions, those in C among them, in this thread."""
    function()  # what is made once, such as adapters, is made now
    counted = 0

    def note(frame, event, argument):
        nonlocal counted
        del frame, argument
        counted += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return counted


def of_step(services):
    def run_of(count):
        pipeline = chain(count)
        return lambda: pipeline.execute(parameters={"x": 0}, services=services)

    return (calls(run_of(60)) - calls(run_of(10))) / 50


@pytest.mark.parametrize(
    ("services", "limit"), [(IN_MEMORY, 220), ({}, 400)], ids=["memory", "default"]
)
def test_a_step(services, limit, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert of_step(services) <= limit


def test_a_run_of_two_steps():
    pipeline = chain(2)
    run = lambda: pipeline.execute(parameters={"x": 0}, services=IN_MEMORY)
    assert calls(run) <= 1850


def test_an_item_of_a_map():
    branch = PythonTask(name="f", function=add, returns=["y"]).as_pipeline()
    each = Map(
        name="m", branch=branch, iterate_on="xs", iterate_as="x", parallelism="none"
    )
    pipeline = each.as_pipeline()

    def run(count):
        values = {"xs": list(range(count))}
        return lambda: pipeline.execute(parameters=values, services=IN_MEMORY)

    few, many = calls(run(10)), calls(run(60))
    assert (many - few) / 50 <= 480


def test_nothing_of_a_framework_or_the_engine_is_imported_to_define_a_pipeline():
    code = (
        "import sys; from runnable import Pipeline, PythonTask\n"
        "PythonTask(name='s', function=print).as_pipeline\n"
        "heavy = ('fastapi', 'starlette', 'rich', 'typer', 'runnable.engine')\n"
        "print([it for it in heavy if it in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == "[]"
