"""Notebooks as tasks: real kernels, each a process of its own."""

import asyncio
import json
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from pydantic import BaseModel

from runnable import (
    Catalog,
    ExecutionFailedError,
    Map,
    NotebookJob,
    NotebookTask,
    Parallel,
    Pipeline,
    PythonTask,
    get_run_log,
    metric,
    pickled,
)
from runnable.exceptions import CommandCallError, DefinitionError


def write(path, *cells, parameters=None):
    """Write a notebook; the first cell may be tagged for parameters."""
    made = [new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
    if parameters is not None:
        made.insert(0, new_code_cell(parameters, metadata={"tags": ["parameters"]}))
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(nbformat.writes(new_notebook(cells=made)))
    return str(path)


def run(notebook, returns=(), parameters=None, run_id="r1", **more):
    step = NotebookTask(name="hello", notebook=notebook, returns=list(returns), **more)
    return Pipeline(steps=[step]).execute(run_id=run_id, parameters=parameters or {})


def stored(name, run_id="r1"):
    return nbformat.read(Path(".catalog", run_id, name), as_version=4)


def log_of(run_id="r1"):
    (log,) = Path(".catalog", run_id).glob("hello*.execution.log")
    return log.read_text()


def outputs_of(notebook, kind):
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type == kind
    ]


def test_twenty_cells_run_once_and_their_figures_are_stored():
    counting = "open('count.txt', 'a').write('x\\n')"
    drawing = "import matplotlib.pyplot as plt\nplt.plot([1, 2, 3]);\nplt.show()"
    path = write(
        "reports/demo.ipynb",
        new_markdown_cell("# A title"),
        *[counting] * 18,
        drawing,
        "y = 2 * x",
        parameters="x = 1",
    )
    run_log = run(path, ["y"], {"x": 21})
    assert run_log.parameters["y"].value == 42
    assert Path("count.txt").read_text() == "x\n" * 18
    notebook = stored("reports/demo-hello_out.ipynb")
    (figure,) = outputs_of(notebook, "display_data")
    assert figure.data["image/png"]
    # Nothing is left behind in the source tree, and the notebook is what it was.
    assert [it.name for it in Path("reports").iterdir()] == ["demo.ipynb"]
    assert notebook.cells[1].metadata.tags == ["injected-parameters"]
    assert notebook.cells[1].source == "# Parameters\nx = 21"
    assert run_log.steps["hello"].data_catalog == []


def test_values_of_all_kinds_come_back():
    path = write(
        "n.ipynb",
        "from pydantic import BaseModel\n"
        "class Point(BaseModel):\n    x: int\n    y: int = 2\n"
        "point = Point(x=seed['a'])\n"
        "score = 0.5\n"
        "function = lambda: 'called'\n",
    )
    use = PythonTask(name="use", function=lambda function: function(), returns=["said"])
    step = NotebookTask(
        name="hello",
        notebook=path,
        returns=["point", metric("score"), pickled("function")],
    )
    run_log = Pipeline(steps=[step, use]).execute(parameters={"seed": {"a": 1}})
    assert run_log.parameters["point"].value == {"x": 1, "y": 2}
    assert run_log.parameters["said"].value == "called"
    assert run_log.metrics == {"score": 0.5}


def test_a_model_of_the_script_becomes_a_mapping():
    class Settings(BaseModel):
        rate: float = 0.5

    make = PythonTask(name="make", function=Settings, returns=["settings"])
    path = write("n.ipynb", "rate = settings['rate']")
    step = NotebookTask(name="hello", notebook=path, returns=["rate"])
    run_log = Pipeline(steps=[make, step]).execute()
    assert run_log.parameters["rate"].value == 0.5


def test_an_error_names_the_cell_and_has_the_traceback():
    path = write("n.ipynb", "x = 1", "def f():\n    return x / 0\nf()", "y = 1")
    with pytest.raises(ExecutionFailedError) as caught:
        run(path, ["y"])
    cause = caught.value.__cause__
    assert isinstance(cause, CommandCallError)
    assert "n.ipynb, in cell 2 of 3: ZeroDivisionError: division by zero" in str(cause)
    assert "return x / 0" in str(cause)
    assert "\x1b" not in str(cause)
    assert "ZeroDivisionError" in log_of()
    # What there was up to then is kept.
    (error,) = outputs_of(stored("n-hello_out.ipynb"), "error")
    assert error.ename == "ZeroDivisionError"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot read the notebook"),
        ("no json", "is no notebook that can be read"),
        ("[]", "is no notebook that can be read"),
        (
            json.dumps({
                "cells": [],
                "metadata": {
                    "kernelspec": {"language": "R", "name": "ir", "display_name": "R"}
                },
                "nbformat": 4,
                "nbformat_minor": 5,
            }),
            "is written in R",
        ),
    ],
)
def test_a_file_that_is_no_notebook_is_refused(content, message):
    if content is not None:
        Path("n.ipynb").write_text(content)
    with pytest.raises(ExecutionFailedError, match=message):
        run("n.ipynb")


def test_wrong_settings_are_refused_at_once():
    with pytest.raises(DefinitionError, match=r"has to end with \.ipynb"):
        run("n.py")
    with pytest.raises(DefinitionError, match="no argument 'colour'"):
        run("n.ipynb", optional_ploomber_args={"colour": "red"})


def test_a_missing_variable_and_one_that_cannot_be_sent_say_so():
    path = write("n.ipynb", "import threading\nx = threading.Lock()")
    with pytest.raises(ExecutionFailedError, match="has no variable 'y' at its end"):
        run(path, ["y"])
    with pytest.raises(ExecutionFailedError, match="cannot return 'x': TypeError"):
        run(path, [pickled("x")], run_id="r2")


def test_output_is_live_and_kept(capsys):
    path = write("n.ipynb", "import sys\nprint('out')\nprint('err', file=sys.stderr)")
    run(path)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("out\n", "err\n")
    assert sorted(log_of().split()) == ["err", "out"]


def test_it_sees_its_secrets_and_its_run_and_they_are_masked(monkeypatch):
    monkeypatch.setenv("TOKEN", "open sesame")
    path = write(
        "n.ipynb",
        "import os\nprint(os.environ['TOKEN'])\n"
        "seen = [os.environ['TOKEN'][::-1], os.environ['RUNNABLE_RUN_ID'], os.getcwd()]",
    )
    run_log = run(path, ["seen"], secrets=["TOKEN"])
    assert run_log.parameters["seen"].value == ["emases nepo", "r1", str(Path.cwd())]
    kept = Path(".catalog/r1/n-hello_out.ipynb").read_text() + log_of()
    assert "open sesame" not in kept
    assert "***" in kept


def test_a_secret_in_pieces_is_masked_in_the_notebook(monkeypatch):
    monkeypatch.setenv("TOKEN", "open sesame")
    path = write(
        "n.ipynb",
        "import os, sys, time\nt = os.environ['TOKEN']\n"
        "for piece in (t[:6], t[6:]):\n"
        "    sys.stdout.write(piece); sys.stdout.flush(); time.sleep(0.2)\n"
        "    print('between', file=sys.stderr, flush=True); time.sleep(0.2)",
    )
    run(path, secrets=["TOKEN"])
    texts = {
        output.name: output.text
        for output in outputs_of(stored("n-hello_out.ipynb"), "stream")
    }
    assert texts == {"stdout": "***", "stderr": "between\nbetween\n"}
    assert "sesame" not in log_of()


def test_names_that_are_no_variables_and_hostile_text_are_harmless():
    text = "'''\"\"\"$(rm -rf /)\\\n\x00\ud800 \N{SNOWMAN}"
    path = write("n.ipynb", "back, more = text, numbers")
    run_log = run(
        path,
        ["back", "more"],
        {"text": text, "my-name": 1, "class": 2, "numbers": [10**4000, 1e300, -0.0]},
    )
    assert run_log.parameters["back"].value == text
    assert run_log.parameters["more"].value == [10**4000, 1e300, -0.0]


async def test_it_runs_within_a_running_loop_and_in_parallel_branches():
    path = write("n.ipynb", "y = x + 1")
    step = NotebookTask(name="hello", notebook=path, returns=["y"])
    mapped = Pipeline(
        steps=[
            Map(
                name="m",
                branch=step.as_pipeline(),
                iterate_on="xs",
                iterate_as="x",
            )
        ]
    )
    both = await asyncio.gather(
        mapped.execute_async(run_id="a", parameters={"xs": [1, 2, 3]}),
        asyncio.to_thread(mapped.execute, run_id="b", parameters={"xs": [4, 5]}),
    )
    assert [it.parameters["y"].value for it in both] == [[2, 3, 4], [5, 6]]
    # And a synchronous run, in the very thread of the loop.
    assert mapped.execute(run_id="c", parameters={"xs": [7]}).parameters["y"].value == [
        8
    ]
    names = [it.name for it in Path(".catalog/a").glob("*.ipynb")]
    assert sorted(names) == [f"n-m.{x}.hello_out.ipynb" for x in (1, 2, 3)]


def test_steps_of_the_same_letters_keep_their_notebooks_apart():
    path = write("n.ipynb", "x = 1")
    steps = [NotebookTask(name=name, notebook=path) for name in ("a b", "ab", "c-d")]
    Pipeline(steps=steps).execute(run_id="r1")
    names = sorted(it.name for it in Path(".catalog/r1").glob("*.ipynb"))
    assert names == ["n-a b_out.ipynb", "n-ab_out.ipynb", "n-cd_out.ipynb"]


def test_branches_of_a_parallel_step_keep_their_notebooks_apart():
    path = write("n.ipynb", "x = 1")
    branch = NotebookTask(name="hello", notebook=path).as_pipeline()
    step = Parallel(name="p", branches={"left": branch, "right": branch})
    Pipeline(steps=[step]).execute(run_id="r1")
    names = sorted(it.name for it in Path(".catalog/r1").glob("*.ipynb"))
    assert names == ["n-p.left.hello_out.ipynb", "n-p.right.hello_out.ipynb"]


@pytest.mark.parametrize("is_async", [False, True])
def test_a_timeout_ends_the_kernel_and_its_children(is_async):
    path = write(
        "n.ipynb",
        "import subprocess, time\n"
        "subprocess.Popen(['sh', '-c', 'sleep 3; echo late > late.txt'])\n"
        "open('started.txt', 'w').close()\n"
        "time.sleep(60)",
    )
    step = NotebookTask(name="hello", notebook=path, timeout_seconds=2.5)
    pipeline = Pipeline(steps=[step])
    began = time.monotonic()
    with pytest.raises(ExecutionFailedError, match=r"2\.5"):
        if is_async:
            asyncio.run(pipeline.execute_async(run_id="r1"))
        else:
            pipeline.execute(run_id="r1")
    assert time.monotonic() - began < 30
    time.sleep(3)
    assert not Path("late.txt").exists()
    assert get_run_log("r1").status == "FAIL"


def test_a_kernel_that_dies_fails_the_step():
    path = write("n.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(
        ExecutionFailedError, match="in cell 1 of 1: its kernel has ended"
    ):
        run(path)


def test_a_job_and_arguments_for_the_engine():
    Path("elsewhere").mkdir()
    path = write(
        "n.ipynb", "import os\nhere = os.path.basename(os.getcwd())", parameters="x = 0"
    )
    run_log = NotebookJob(
        notebook=path,
        returns=["here", "x"],
        optional_ploomber_args={
            "cwd": "elsewhere",
            "parameters": {"x": 3},
            "verbose": True,
        },
    ).execute(job_id="r1")
    assert run_log.job.status == "SUCCESS"
    assert run_log.parameters["here"].value == "elsewhere"
    assert run_log.parameters["x"].value == 3
    assert Path(".catalog/r1/n-_out.ipynb").is_file()


def test_a_workspace_of_its_own():
    path = write(
        "n.ipynb", "open('out.txt', 'w').write('mine')\nimport os\nseen = os.getcwd()"
    )
    run_log = run(
        path, ["seen"], workspace="isolated", catalog=Catalog(put=["out.txt"])
    )
    assert run_log.parameters["seen"].value != str(Path.cwd())
    assert not Path("out.txt").exists()
    assert Path(".catalog/r1/out.txt").read_text() == "mine"
    assert Path(".catalog/r1/n-hello_out.ipynb").is_file()


def test_the_kernel_uses_this_interpreter_not_the_notebook_s():
    path = write("n.ipynb", "import sys\nseen = sys.executable")
    notebook = json.loads(Path(path).read_text())
    notebook["metadata"]["kernelspec"] = {
        "name": "no-such-kernel",
        "language": "python",
        "display_name": "Mine",
    }
    Path(path).write_text(json.dumps(notebook))
    assert run(path, ["seen"]).parameters["seen"].value == sys.executable
