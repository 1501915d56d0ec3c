"""Progress in a Jupyter notebook, run by a real kernel."""

from pathlib import Path

import nbclient
import nbformat

from tests.progress.test_terminal import FLOW

CELL = """
import sys
sys.path.insert(0, {root!r})
from tests.progress.flow import pipeline
given = {{"folds": [0, 1, 2]}}
pipeline().execute(parameters=given, run_id="<b>r1", progress=True).status
"""


def test_a_table_is_drawn_below_the_cell():
    Path("go-on").touch()
    cell = nbformat.v4.new_code_cell(CELL.format(root=str(FLOW.parents[2])))
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, kernel_name="python3").execute()

    displayed = [it for it in cell.outputs if it.output_type == "display_data"]
    (html,) = [it["data"]["text/html"] for it in displayed]
    assert "demo &lt;b&gt;r1: SUCCESS" in html
    assert "2 of 2" in html
    assert 'title="SUCCESS">✓</span>' in html
    assert "<b>r1" not in html
    assert cell.outputs[-1]["data"]["text/plain"] == "'SUCCESS'"
    printed = "".join(it.get("text", "") for it in cell.outputs)
    assert "fold 2" in printed
