"""What commands print: on any console, and without control of the terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runnable import Catalog, ExecutionFailedError, Pipeline, PythonTask

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


INTERRUPTED = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "runnable.cli.app":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
from runnable.cli import main
main()
"""


def test_an_interrupt_while_the_command_line_is_imported_is_one_line():
    finished = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 130
    assert finished.stderr == "runnable: interrupted before anything had started\n"


def test_brackets_of_a_file_name_are_explained_and_can_be_escaped():
    def work():
        Path("a[1].csv").write_text("1")

    def task(pattern):
        catalog = Catalog(put=[pattern])
        return PythonTask(name="s", function=work, catalog=catalog).as_pipeline()

    with pytest.raises(ExecutionFailedError, match=r"write 'a\[\[\]1\]\.csv'"):
        task("a[1].csv").execute()
    run_log = task("a[[]1].csv").execute()
    assert [it.name for it in run_log.steps["s"].data_catalog] == ["a[1].csv"]
