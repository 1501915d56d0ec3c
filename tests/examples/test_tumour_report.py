"""A notebook within a pipeline."""

import base64
import struct
import subprocess
import sys
from pathlib import Path

import nbformat

from runnable import get_run_log

FOLDER = Path(__file__).parents[2] / "docs/examples/tumour_report"


def test_the_script_runs_the_notebook():
    before = (FOLDER / "report.ipynb").read_bytes()
    finished = subprocess.run(
        [sys.executable, str(FOLDER / "pipeline.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = finished.stdout.splitlines()
    assert lines[:2] == ["malignant: mean radius 17.46", "benign: mean radius 12.15"]
    stored = Path(lines[-1].removeprefix("Notebook: "))
    notebook = nbformat.read(stored, as_version=4)
    (figure,) = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "display_data"
    ]
    picture = base64.b64decode(figure.data["image/png"])
    width, height = struct.unpack(">II", picture[16:24])
    assert width > 400
    assert height > 200

    run_log = get_run_log(stored.parts[1])
    assert round(run_log.metrics["difference"], 2) == 1.51
    assert set(run_log.parameters["means"].value) == {"malignant", "benign"}
    assert (FOLDER / "report.ipynb").read_bytes() == before
    assert sorted(it.name for it in FOLDER.iterdir() if it.suffix) == [
        "README.md",
        "pipeline.py",
        "pipeline.svg",
        "report.ipynb",
    ]


def test_the_notebook_runs_by_hand(tmp_path):
    from nbclient import NotebookClient

    notebook = nbformat.read(FOLDER / "report.ipynb", as_version=4)
    NotebookClient(notebook, kernel_name="python3").execute(cwd=str(tmp_path))
