"""What a step and a run cost, counted in calls: the same number on every machine.

A step that calls more functions than before takes longer. These limits are a tenth
above what was counted last; `tests/benchmarks/targets.py` measures what it comes to.
They are counted in a process of its own: what other tests have imported, and the
variables of the environment, would count as well.
"""

import json
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


def of_chain(count, services):
    pipeline = chain(count)
    return calls(lambda: pipeline.execute(parameters={"x": 0}, services=services))


def of_step(services):
    return (of_chain(60, services) - of_chain(10, services)) / 50


def of_item():
    branch = PythonTask(name="f", function=add, returns=["y"]).as_pipeline()
    each = Map(
        name="m", branch=branch, iterate_on="xs", iterate_as="x", parallelism="none"
    )
    pipeline = each.as_pipeline()

    def run(count):
        values = {"xs": list(range(count))}
        return lambda: pipeline.execute(parameters=values, services=IN_MEMORY)

    return (calls(run(60)) - calls(run(10))) / 50


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    ran = subprocess.run(
        [sys.executable, __file__],
        cwd=tmp_path_factory.mktemp("counted"),
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout)


@pytest.mark.parametrize(
    ("services", "limit"), [("memory", 220), ("default", 400)], ids=str
)
def test_a_step(services, limit, counted):
    assert counted[services] <= limit


def test_a_run_of_two_steps(counted):
    assert counted["two steps"] <= 1850


def test_an_item_of_a_map(counted):
    assert counted["item"] <= 480


if __name__ == "__main__":
    found = {
        "memory": of_step(IN_MEMORY),
        "default": of_step({}),
        "two steps": of_chain(2, IN_MEMORY),
        "item": of_item(),
    }
    print(json.dumps(found))
