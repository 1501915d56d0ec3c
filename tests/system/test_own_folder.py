"""Folders of the library are no changes of the user's code."""

import subprocess
from pathlib import Path

from runnable import PythonTask, get_run_log, pickled
from runnable.system.own_folder import make_own_folder


def git(*arguments):
    subprocess.run(["git", *arguments], check=True, capture_output=True)


def test_a_commit_stays_dependable_although_runs_are_kept(tmp_path, monkeypatch):
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "Ada")
        monkeypatch.setenv(f"{name}_EMAIL", "ada@example.com")
    Path("code.py").write_text("x = 1\n")
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    task = PythonTask(name="t", function=lambda: {1}, returns=[pickled("x")])
    for run_id in ("r1", "r2"):
        folder = Path(run_id)
        services = {
            "run_log_store": {
                "type": "file-system",
                "config": {"log_folder": str(folder / "logs")},
            },
            "catalog": {
                "type": "file-system",
                "config": {"catalog_location": str(folder / "catalog")},
            },
        }
        task.as_pipeline().execute(run_id=run_id, services=services)
    task.as_pipeline().execute(run_id="r3")
    task.as_pipeline().execute(
        run_id="r4",
        services={
            "run_log_store": {"type": "sqlite", "config": {"location": "s/r.db"}}
        },
    )
    status = subprocess.run(
        ["git", "status", "--porcelain"], check=True, capture_output=True, text=True
    ).stdout
    assert status == ""
    (attempt,) = get_run_log("r3").steps["t"].attempts
    assert attempt.code_identities[0].code_identifier_dependable


def test_a_folder_that_was_there_stays_as_it_is(tmp_path):
    (tmp_path / "mine").mkdir()
    make_own_folder(tmp_path / "mine")
    assert list((tmp_path / "mine").iterdir()) == []
