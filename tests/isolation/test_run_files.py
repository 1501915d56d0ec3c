"""With `workspace="run"`, no run sees the files of another one, however many there are."""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from runnable import (
    Catalog,
    ExecutionFailedError,
    Map,
    NotebookTask,
    Parallel,
    Pipeline,
    PythonTask,
    ShellTask,
    workdir,
)

RUN = {"pipeline_executor": {"type": "local", "config": {"workspace": "run"}}}
MEMORY = {"run_log_store": {"type": "memory"}}


def write(text):
    (workdir() / "report.txt").write_text(text)
    time.sleep(0.01)


def read():
    return (workdir() / "report.txt").read_text(), str(workdir())


def steps(**settings):
    return [
        PythonTask(
            name="write",
            function=write,
            catalog=Catalog(put=["report.txt"]),
            **settings,
        ),
        ShellTask(
            name="shell", command="cp report.txt copy.txt; ls | wc -l", **settings
        ),
        PythonTask(
            name="read",
            function=read,
            returns=["read", "folder"],
            catalog=Catalog(put=["copy.txt"]),
            **settings,
        ),
    ]


def right(run_log, text):
    folder = run_log.parameters["folder"].value
    names = [it.name for it in run_log.get_data_catalogs_by_stage()]
    return (
        run_log.parameters["read"].value == text
        and names == ["report.txt", "copy.txt"]
        and Path(".catalog", run_log.run_id, "copy.txt").read_text() == text
        and not Path(folder).exists()
    )


def test_fifty_requests_from_threads():
    pipeline = Pipeline(steps=steps(workspace="run"))
    texts = [f"text {number}" for number in range(50)]
    with ThreadPoolExecutor(16) as pool:
        logs = pool.map(lambda it: pipeline.execute(parameters={"text": it}), texts)
        assert [right(log, text) for log, text in zip(logs, texts, strict=True)] == [
            True
        ] * 50
    assert not Path("report.txt").exists()


async def test_fifty_requests_on_an_event_loop():
    pipeline = Pipeline(steps=steps())
    texts = [f"text {number}" for number in range(50)]
    running = (
        pipeline.execute_async(parameters={"text": it}, services=RUN) for it in texts
    )
    logs = await asyncio.gather(*running)
    assert all(right(log, text) for log, text in zip(logs, texts, strict=True))


def test_it_notices_when_runs_share_their_files():
    """With the shared workspace, the same test fails."""
    pipeline = Pipeline(steps=steps())
    texts = [f"text {number}" for number in range(30)]
    with ThreadPoolExecutor(16) as pool:
        futures = [
            pool.submit(pipeline.execute, parameters={"text": it}) for it in texts
        ]
        wrong = 0
        for future, text in zip(futures, texts, strict=True):
            try:
                wrong += future.result().parameters["read"].value != text
            except ExecutionFailedError:
                wrong += 1
    assert wrong


def in_branch(x):
    return str(workdir()), os.getpid()


@pytest.mark.parametrize("parallelism", ["thread", "process", "none"])
def test_branches_share_the_folder_of_their_run(parallelism):
    step = PythonTask(name="s", function=in_branch, returns=["folder", "pid"])
    each = Map(
        name="m",
        iterate_on="xs",
        iterate_as="x",
        branch=step.as_pipeline(),
        parallelism=parallelism,
    )
    last = PythonTask(name="last", function=lambda: str(workdir()), returns=["own"])
    run_log = Pipeline(steps=[each, last]).execute(
        parameters={"xs": [1, 2]}, services={**RUN, **MEMORY}
    )
    folders = {*run_log.parameters["folder"].value, run_log.parameters["own"].value}
    assert len(folders) == 1
    assert not Path(folders.pop()).exists()


def test_a_notebook_works_there():
    code = "from pathlib import Path\ntext = Path('report.txt').read_text()"
    made = new_notebook(cells=[new_code_cell(code)])
    Path("n.ipynb").write_text(nbformat.writes(made))
    notebook = NotebookTask(name="n", notebook="n.ipynb", returns=["text"])
    write_it = PythonTask(name="w", function=lambda: write("mine"))
    run_log = Pipeline(steps=[write_it, notebook]).execute(services={**RUN, **MEMORY})
    assert run_log.parameters["text"].value == "mine"


def test_files_from_the_catalog_are_put_there_and_elsewhere_it_is_the_directory():
    put = PythonTask(
        name="w", function=lambda: write("mine"), catalog=Catalog(put=["*"])
    )
    isolated = PythonTask(
        name="i",
        function=lambda: (Path("report.txt").read_text(), workdir() == Path.cwd()),
        returns=["text", "same"],
        catalog=Catalog(get=["report.txt"]),
        workspace="isolated",
    )
    shared = PythonTask(
        name="s", function=lambda: str(workdir()), returns=["here"], workspace="shared"
    )
    run_log = Pipeline(steps=[put, isolated, shared]).execute(services=RUN)
    assert run_log.parameters["text"].value == "mine"
    assert run_log.parameters["same"].value is True
    assert run_log.parameters["here"].value == str(Path.cwd())
    assert workdir() == Path.cwd()


def test_the_folder_is_removed_however_the_run_ends(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)

    def fail():
        write("left")
        raise ValueError

    branches = {
        name: PythonTask(name="s", function=fail).as_pipeline() for name in "ab"
    }
    with pytest.raises(ExecutionFailedError):
        Parallel(name="p", branches=branches).as_pipeline().execute(services=RUN)
    with pytest.raises(KeyboardInterrupt):
        PythonTask(name="s", function=interrupt).as_pipeline().execute(services=RUN)
    assert list((tmp_path / "temporary").iterdir()) == []


def interrupt():
    write("left")
    raise KeyboardInterrupt
