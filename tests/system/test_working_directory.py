"""A working directory that was deleted is missed only where it is needed."""

import sys

import pytest

from runnable import PythonTask, ShellTask, pickled
from runnable.exceptions import ConfigurationError
from runnable.system.working_directory import absolute, working_directory


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    yield tmp_path
    monkeypatch.undo()


@pytest.mark.parametrize(
    "task",
    [
        PythonTask(name="t", function=lambda: {1}, returns=[pickled("x")]),
        pytest.param(
            PythonTask(name="t", function=lambda: 1, workspace="isolated"),
            marks=pytest.mark.skipif(
                sys.version_info[:3] == (3, 13, 0),
                reason="this Python cannot ask a module for a name without a directory",
            ),
        ),
        ShellTask(name="t", command="echo hello"),
    ],
    ids=["thread", "process", "shell"],
)
def test_a_run_in_memory_needs_none(task, nowhere, in_memory):
    assert task.as_pipeline().execute(services=in_memory).status == "SUCCESS"


def test_services_elsewhere_need_none(nowhere):
    services = {
        "run_log_store": {"type": "file-system", "config": {"log_folder": nowhere}},
        "catalog": {"type": "file-system", "config": {"catalog_location": nowhere}},
    }
    services = {
        kind: {**it, "config": {key: str(value) for key, value in it["config"].items()}}
        for kind, it in services.items()
    }
    task = PythonTask(name="t", function=lambda: {1}, returns=[pickled("x")])
    assert task.as_pipeline().execute(services=services).status == "SUCCESS"


def test_a_relative_folder_is_an_error_that_says_what_to_do(nowhere):
    task = PythonTask(name="t", function=lambda: 1)
    with pytest.raises(ConfigurationError, match=r"does not exist any more.*chdir"):
        task.as_pipeline().execute()


def test_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert working_directory() == tmp_path
    assert absolute("x") == tmp_path / "x"
    assert str(absolute("/x")) == "/x"
