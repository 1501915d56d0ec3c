"""D26 to D37: tasks."""

import os
import queue
from pathlib import Path

import nbformat
import pytest

from runnable import (
    ExecutionFailedError,
    NotebookTask,
    Pipeline,
    PythonTask,
    ShellTask,
    get_run_log,
    metric,
    set_stream_queue,
)
from tests.support.used import used_by


def steps(*more):
    return Pipeline(steps=list(more))


def logs(run_id="r1"):
    return "".join(
        it.read_text() for it in Path(".catalog", run_id).glob("*.execution.log")
    )


def notebook(*cells, name="n.ipynb"):
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(book, name)
    return name


def test_D26_no_secret_is_in_the_log_of_a_command(monkeypatch):
    monkeypatch.setenv("TOKEN", "wrong-horse-staple")
    steps(
        ShellTask(name="sh", command="echo hi; env | grep TOKEN", secrets=["TOKEN"])
    ).execute(run_id="r1")
    assert "hi" in logs()
    for file in [*Path(".catalog").rglob("*"), *Path(".run_log_store").rglob("*")]:
        assert not file.is_file() or "wrong-horse" not in file.read_text()


def test_D27_text_of_several_lines_passes_through_commands():
    run_log = steps(
        PythonTask(name="a", function=lambda: "l1\nl2", returns=["text"]),
        ShellTask(name="b", command="true"),
        ShellTask(name="c", command='export out="$text"', returns=["out"]),
    ).execute()
    assert run_log.parameters["out"].value == "l1\nl2"


def test_D28_a_secret_is_there_for_every_task(monkeypatch):
    monkeypatch.setenv("TOKEN", "wrong-horse-staple")

    def use():
        assert os.environ["TOKEN"] == "wrong-horse-staple"

    names = ("a", "b")
    steps(*[
        PythonTask(name=name, function=use, secrets=["TOKEN"]) for name in names
    ]).execute()
    assert os.environ["TOKEN"] == "wrong-horse-staple"


@pytest.mark.parametrize("kind", ["python", "shell"])
def test_D29_a_missing_secret_fails_the_step(kind):
    more = {"name": "s", "secrets": ["NO_SUCH_SECRET"]}
    step = (
        PythonTask(function=lambda: 1, **more)
        if kind == "python"
        else ShellTask(command="true", **more)
    )
    step.on_failure = PythonTask(name="mend", function=lambda: 1).as_pipeline()
    run_log = steps(step).execute()
    assert run_log.status == "SUCCESS"
    assert "NO_SUCH_SECRET" in run_log.steps["s"].attempts[0].message


def test_D30_coroutines_and_generators_are_run():
    ran = []

    async def coroutine():
        ran.append("coroutine")

    def generator():
        yield 1
        ran.append("generator")

    steps(
        PythonTask(name="a", function=coroutine),
        PythonTask(name="b", function=generator),
    ).execute()
    assert ran == ["coroutine", "generator"]


def test_D31_a_notebook_runs_once():
    book = notebook("with open('ran.txt', 'a') as f: f.write('x')", "n = 1")
    run_log = steps(NotebookTask(name="nb", notebook=book, returns=["n"])).execute()
    assert run_log.parameters["n"].value == 1
    assert Path("ran.txt").read_text() == "x"


def test_D32_D37_metrics_of_notebooks_and_no_file_beside_them():
    Path("books").mkdir()
    book = notebook("score = 0.5", name="books/n.ipynb")
    run_log = steps(
        NotebookTask(name="nb", notebook=book, returns=[metric("score")])
    ).execute(run_id="r1")
    attempt = run_log.steps["nb"].attempts[0]
    assert attempt.user_defined_metrics["score"].value == 0.5
    assert [it.name for it in Path("books").iterdir()] == ["n.ipynb"]
    assert Path(".catalog/r1/books/n-nb_out.ipynb").exists()


def test_D33_settings_keep_their_types():
    book = notebook("n = flag")
    step = NotebookTask(
        name="nb",
        notebook=book,
        returns=["n"],
        optional_ploomber_args={"parameters": {"flag": False}, "progress_bar": False},
    )
    assert steps(step).execute().parameters["n"].value is False


def test_D34_a_command_has_the_environment_of_its_caller(monkeypatch):
    monkeypatch.setenv("MY_PROXY", "here")
    command = 'export out="$MY_PROXY $HOME $PATH"'
    run_log = steps(ShellTask(name="s", command=command, returns=["out"])).execute()
    expected = f"here {os.environ['HOME']} {os.environ['PATH']}"
    assert run_log.parameters["out"].value == expected


def test_D35_commands_say_what_they_printed_and_what_is_missing():
    with pytest.raises(ExecutionFailedError):
        steps(ShellTask(name="s", command="echo before; exit 3")).execute(run_id="r1")
    assert "before" in logs()
    assert "3" in get_run_log("r1").steps["s"].attempts[0].message
    with pytest.raises(ExecutionFailedError, match="out"):
        steps(ShellTask(name="s", command="true", returns=["out"])).execute()
    run_log = steps(
        ShellTask(name="s", command="export out=1  # a comment", returns=["out"])
    ).execute()
    assert run_log.parameters["out"].value == 1


def bad():
    raise ValueError("the very reason")


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (lambda: PythonTask(name="s", function=bad), "the very reason"),
        (lambda: ShellTask(name="s", command="echo why >&2; false"), "why"),
        (
            lambda: NotebookTask(name="s", notebook=notebook("1 / 0")),
            "ZeroDivisionError",
        ),
        (
            lambda: PythonTask(name="s", function=len, secrets=["NOPE"]),
            "NOPE",
        ),
    ],
)
def test_D36_the_reason_of_a_failure_is_recorded_and_told(step, reason):
    events: queue.Queue = queue.Queue()
    set_stream_queue(events)
    with pytest.raises(ExecutionFailedError, match=reason):
        pipeline = steps(step())
        pipeline.execute(run_id="r1", parameters=used_by(pipeline, {"obj": []}))
    assert reason in get_run_log("r1").steps["s"].attempts[0].message
    told = [event for event in events.queue if event["type"] == "task_error"]
    assert reason in told[0]["error"]
