"""Something else in place of a file is an error, and never waited for."""

import os
import socket
from pathlib import Path

import pytest

from runnable import (
    ExecutionFailedError,
    Pipeline,
    PythonTask,
    get_run_log,
    list_runs,
    pickled,
)
from runnable.exceptions import RunLogDamagedError
from runnable.system.regular_files import NoRegularFileError, open_file


def make_socket(path):
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket has to be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


KINDS = {
    "a named pipe": os.mkfifo,
    "a socket": make_socket,
    "a folder": Path.mkdir,
}


def replace(path, kind):
    path.unlink()
    KINDS[kind](path)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_file_is_not_opened(kind, tmp_path):
    path = tmp_path / "x"
    KINDS[kind](path)
    with pytest.raises(NoRegularFileError, match=kind):
        open_file(path)


def test_a_device_is_not_opened():
    with pytest.raises(NoRegularFileError, match="a device"):
        open_file("/dev/zero")


def test_a_file_is_opened(tmp_path):
    (tmp_path / "x").write_bytes(b"content")
    with open_file(tmp_path / "x") as file:
        assert file.read() == b"content"
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "y")


def failing_run():
    def make():
        return {1, 2}

    def use(made):
        if not Path("fixed").exists():
            raise ValueError("not yet")
        return len(made)

    first = PythonTask(name="a", function=make, returns=[pickled("made")])
    second = PythonTask(name="b", function=use, returns=["n"])
    pipeline = Pipeline(steps=[first, second])
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(run_id="r1")
    Path("fixed").touch()
    return pipeline


@pytest.mark.parametrize("kind", KINDS)
def test_a_stored_object_that_was_replaced_blocks_no_resume(kind, tmp_path):
    pipeline = failing_run()
    (stored,) = tmp_path.glob(".catalog/r1/_objects/a/*.pickle")
    content = stored.read_bytes()
    replace(stored, kind)
    with pytest.raises(ExecutionFailedError, match=rf"{kind}, not a file; remove it"):
        pipeline.execute(resume="r1")
    stored.rmdir() if kind == "a folder" else stored.unlink()
    stored.write_bytes(content)
    assert pipeline.execute(resume="r1").status == "SUCCESS"


@pytest.mark.parametrize("kind", KINDS)
def test_a_journal_that_was_replaced_is_damaged(kind, tmp_path):
    pipeline = failing_run()
    (journal,) = tmp_path.glob(".run_log_store/*.jsonl")
    replace(journal, kind)
    with pytest.raises(RunLogDamagedError, match=kind):
        pipeline.execute(resume="r1")
    with pytest.raises(RunLogDamagedError, match=kind):
        get_run_log("r1")
    assert [run.status for run in list_runs()] == ["DAMAGED"]
