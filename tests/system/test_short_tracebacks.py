"""The traceback of a failed run shows the author's own lines, here and in a notebook."""

import asyncio
import logging
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from runnable import ExecutionFailedError, Map, Parallel, PythonJob, PythonTask


def helper():
    raise ValueError("bad data")


def work():
    helper()


async def work_async():
    await asyncio.sleep(0)
    helper()


def frames(error):
    """Return the functions in the tracebacks of an error and its causes."""
    names = []
    for one in traceback.TracebackException.from_exception(error).format():
        names += [line.split(", in ")[1].strip() for line in one.splitlines() if "File" in line]  # fmt: skip
    return names


def failed(definition, services, **parameters):
    with pytest.raises(ExecutionFailedError) as caught:
        definition.execute(services=services, parameters=parameters)
    return caught.value


STEP = PythonTask(name="s", function=work)


@pytest.mark.parametrize(
    ("definition", "own"),
    [
        (STEP.as_pipeline(), ["work", "helper"]),
        (PythonJob(function=work), ["work", "helper"]),
        (
            PythonTask(name="s", function=work_async).as_pipeline(),
            ["work_async", "helper"],
        ),
        (
            Parallel(name="p", branches={"a": STEP.as_pipeline()}).as_pipeline(),
            ["work", "helper"],
        ),
    ],
)
def test_the_frames_of_the_library_are_left_out(definition, own, in_memory):
    error = failed(definition, in_memory)
    assert frames(error) == [*own, "failed", "execute"]


async def test_also_on_an_event_loop(in_memory):
    with pytest.raises(ExecutionFailedError) as caught:
        await STEP.as_pipeline().execute_async(services=in_memory)
    assert frames(caught.value)[:2] == ["work", "helper"]
    assert frames(caught.value)[-1] == "execute_async"


def test_the_run_log_begins_with_the_code_of_the_author(in_memory):
    error = failed(STEP.as_pipeline(), in_memory)
    recorded = error.run_log.steps["s"].attempts[0].traceback
    assert "runnable/engine" not in recorded
    assert ", in helper\n" in recorded


def test_the_level_debug_has_all_frames(in_memory, caplog):
    caplog.set_level(logging.DEBUG, "runnable")
    error = failed(STEP.as_pipeline(), in_memory)
    assert "run_attempt" in frames(error)
    assert "runnable/engine" in error.run_log.steps["s"].attempts[0].traceback


def test_an_error_without_a_frame_of_the_author(in_memory):
    step = PythonTask(name="s", function=lambda xs: xs, returns=["a", "b"])
    each = Map(name="m", iterate_on="xs", iterate_as="x", branch=step.as_pipeline())
    error = failed(each.as_pipeline(), in_memory, xs=[1])
    assert "declares 2: a, b" in str(error)
    assert set(frames(error)) <= {"failed", "execute"}


def test_in_a_notebook():
    Path("flow.py").write_text(
        "from runnable import PythonTask\n"
        "def work():\n    raise ValueError('bad data')\n"
        "pipeline = PythonTask(name='s', function=work).as_pipeline()\n"
    )
    code = (
        "from IPython.core.interactiveshell import InteractiveShell\n"
        "shell = InteractiveShell(colors='NoColor')\n"
        "shell.run_cell('from flow import pipeline')\n"
        "shell.run_cell('pipeline.execute()')\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "ValueError: bad data" in shown
    assert "flow.py" in shown
    assert "engine" not in shown
    assert len(shown.splitlines()) < 45
