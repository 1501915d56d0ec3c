"""Each example of the gallery runs as its README says, and looks as its picture."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
GALLERY = sorted(it.parent.name for it in EXAMPLES.glob("*/pipeline.svg"))


def run(command, folder):
    """Run a command of a README; return what it prints."""
    program = Path(sys.executable).parent
    path = f"{program}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(  # noqa: S602 - as the README has it
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path):
    """A folder from which the paths of the READMEs lead to the examples."""
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    return tmp_path


def test_there_are_enough():
    assert len(GALLERY) >= 8


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", GALLERY)
def test_it_runs_from_python_and_from_the_command_line(name, folder):
    text = (EXAMPLES / name / "README.md").read_text()
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    commands = block.splitlines()
    assert [it.split()[0] for it in commands] == ["python", "runnable"]
    for command in commands:
        run(command, folder)
    runs = json.loads(run("runnable runs list --json", folder))
    assert {it["status"] for it in runs} == {"SUCCESS"}
    for command in re.findall(r"`(runnable [^`]*)`", text):
        assert run(command.replace("NAME -o FILE", "--help"), folder)


@pytest.mark.parametrize("name", GALLERY)
def test_its_picture_is_that_of_the_pipeline(name, folder):
    run(f"runnable draw docs/examples/{name}/pipeline.py -o now.svg", folder)
    drawn = (folder / "now.svg").read_text()
    drawn = re.sub("otebook: [^<]*", "otebook: report.ipynb", drawn)  # has the folder
    assert drawn == (EXAMPLES / name / "pipeline.svg").read_text()
