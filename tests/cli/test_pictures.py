"""`runnable draw` writes pictures of pipelines."""

from pathlib import Path

import pytest
from command_line import runnable

SCRIPT = """
from runnable import Pipeline, PythonTask
def load():
    return 1
print("hello")
Pipeline(
    steps=[PythonTask(name="load", function=load, returns=["total"])], name="daily"
).execute(run_id="r1")
"""


@pytest.fixture(autouse=True)
def script():
    Path("script.py").write_text(SCRIPT)


@pytest.mark.parametrize(
    ("suffix", "begin"),
    [
        (".svg", "<svg"),
        (".md", "```mermaid"),
        (".mmd", "flowchart"),
        (".dot", "digraph"),
    ],
)
def test_files(suffix, begin):
    drawn = runnable("draw", "script.py", "-o", f"x{suffix}")
    assert drawn.returncode == 0, drawn.stderr
    assert Path(f"x{suffix}").read_text().startswith(begin)
    assert not Path(".run_log_store").exists()


def test_without_a_file_the_svg_is_printed_alone():
    drawn = runnable("draw", "script.py", "--show-parameters")
    assert drawn.stdout.startswith("<svg")
    assert "total" in drawn.stdout
    assert "hello" in drawn.stderr


def test_with_the_statuses_of_a_run():
    assert runnable("execute", "script.py").returncode == 0
    assert 'class="box success"' in runnable("draw", "script.py", "--run", "r1").stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["script.py", "-o", "x.gif"], "not '.gif'"),
        (["missing.py"], "there is no file missing.py"),
        (["empty.py"], "no pipeline"),
        (["script.py", "--run", "r9"], "r9"),
    ],
)
def test_bad_input(arguments, problem):
    Path("empty.py").touch()
    drawn = runnable("draw", *arguments)
    assert drawn.returncode == 2
    assert problem in drawn.stderr
    assert "Traceback" not in drawn.stderr
