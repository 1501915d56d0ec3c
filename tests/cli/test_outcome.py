"""What commands print: on any console, and without control of the terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runnable import ExecutionFailedError, Pipeline, PythonTask

ESCAPE = "\x1b[31mred\x1b[0m \x07\x9b31m"


def runnable(*arguments, encoding="utf-8"):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    return subprocess.run(
        [sys.executable, "-m", "runnable.cli", *arguments],
        capture_output=True,
        check=False,
        env=environment,
    )


def pipeline_file(name, command="os.getcwd"):
    step = {"type": "task", "command": command, "next": "success"}
    dag = {"start_at": name, "steps": {name: step}}
    Path("p.yaml").write_text(json.dumps({"dag": dag}))


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
def test_letters_that_the_console_does_not_have_are_shown_somehow(encoding):
    pipeline_file("schön \N{SNOWMAN}")
    for command in (("execute", "p.yaml", "r1"), ("runs", "show", "r1")):
        finished = runnable(*command, encoding=encoding)
        assert finished.returncode == 0, finished.stderr
        shown = finished.stdout.decode(encoding)
        assert ("schön" in shown) or ("sch\\xf6n" in shown)
    failing = runnable("execute", "missing-\N{SNOWMAN}.yaml", encoding=encoding)
    assert failing.returncode == 2
    assert b"Traceback" not in failing.stderr


def test_control_characters_do_not_reach_the_terminal():
    def fail():
        raise ValueError(ESCAPE)

    with pytest.raises(ExecutionFailedError):
        Pipeline(steps=[PythonTask(name="s", function=fail)]).execute(
            run_id="r1", tag=ESCAPE
        )
    for command in (
        ("runs", "show", "r1"),
        ("runs", "list"),
        ("timeline", "r1"),
        ("runs", "show", ESCAPE),
    ):
        finished = runnable(*command)
        for output in (finished.stdout, finished.stderr):
            assert not {"\x1b", "\x07", "\x9b"} & set(output.decode())
    shown = runnable("runs", "show", "r1").stdout.decode()
    assert r"\x1b[31mred" in shown
