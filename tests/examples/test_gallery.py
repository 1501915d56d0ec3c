"""Each example of the gallery runs as its README says, and looks as its picture."""

import json
import re
from pathlib import Path

import pytest
from command_line import shell

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
GALLERY = sorted(it.parent.name for it in EXAMPLES.glob("*/pipeline.svg"))


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
        shell(command, folder)
    runs = json.loads(shell("runnable runs list --json", folder))
    assert {it["status"] for it in runs} == {"SUCCESS"}
    for command in re.findall(r"`(runnable [^`]*)`", text):
        assert shell(command.replace("NAME -o FILE", "--help"), folder)


@pytest.mark.parametrize("name", GALLERY)
def test_its_picture_is_that_of_the_pipeline(name, folder):
    shell(f"runnable draw docs/examples/{name}/pipeline.py -o now.svg", folder)
    drawn = (folder / "now.svg").read_text()
    drawn = re.sub("otebook: [^<]*", "otebook: report.ipynb", drawn)  # has the folder
    assert drawn == (EXAMPLES / name / "pipeline.svg").read_text()
