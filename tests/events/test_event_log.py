"""Runs as lines of text, at the level INFO of the library's logger."""

import logging
from pathlib import Path

import pytest
from command_line import runnable

from runnable import Map, Pipeline, PythonTask


def work(x):
    if x == 2:
        raise ValueError("bad data")
    return x


@pytest.fixture
def pipeline():
    step = PythonTask(name="s", function=work, returns=["y"], retries=1)
    each = Map(name="m", iterate_on="xs", iterate_as="x", branch=step.as_pipeline())
    return Pipeline(steps=[each])


def test_each_event_is_a_line(pipeline, in_memory, caplog):
    caplog.set_level(logging.INFO, "runnable")
    pipeline.execute(run_id="r1", parameters={"xs": [1]}, services=in_memory)
    assert [it.getMessage() for it in caplog.records] == [
        "Run r1: started",
        "Run r1: step 'm' started",
        "Run r1: branch 'm.1' started",
        "Run r1: step 'm.1.s' started",
        "Run r1: step 'm.1.s' SUCCESS",
        "Run r1: step 'm.1.success' started",
        "Run r1: step 'm.1.success' SUCCESS",
        "Run r1: branch 'm.1' SUCCESS",
        "Run r1: step 'm' SUCCESS",
        "Run r1: step 'success' started",
        "Run r1: step 'success' SUCCESS",
        "Run r1: SUCCESS",
    ]


def test_nothing_is_logged_unless_it_is_wanted(pipeline, in_memory, caplog):
    pipeline.execute(parameters={"xs": [1]}, services=in_memory)
    assert not caplog.records


SCRIPT = """
from runnable import PythonTask
def fail():
    print("printed")
    raise ValueError("bad data")
PythonTask(name="s", function=fail, retries=1).as_pipeline().execute()
"""


def test_the_option_of_the_command_line():
    Path("script.py").write_text(SCRIPT)
    assert "INFO" not in runnable("execute", "script.py", "r1").stderr
    loud = runnable("execute", "script.py", "r2", "--log-level", "info")
    for line in (
        "started",
        "step 's' FAIL (ValueError: bad data",
        "step 's' started, attempt 2",
        "FAIL",
    ):
        assert f"INFO runnable.events.event_log: Run r2: {line}" in loud.stderr
    # They are no output of the step.
    logs = [it.read_text() for it in Path(".catalog/r2").glob("s*.log")]
    assert any("printed" in text for text in logs)
    assert not any("INFO" in text for text in logs)
