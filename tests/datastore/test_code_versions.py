"""Which version of the user's code runs."""

import subprocess
from pathlib import Path

import pytest

from runnable import Pipeline, PythonTask, Stub
from runnable.datastore import CodeVersions


def git(*arguments):
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.invalid"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository():
    git("init", "-q", "-b", "main")
    Path("a.py").write_text("1")
    Path("old name.py").write_text("a long enough content to be seen as renamed\n" * 9)
    git("add", ".")
    git("commit", "-q", "-m", "first")
    git("remote", "add", "origin", "https://me:hunter2@example.invalid/repo")


def test_a_clean_repository(repository):
    version = CodeVersions().ask()
    assert version.code_identifier == git("rev-parse", "HEAD").strip()
    assert version.code_identifier_message == ""
    assert version.code_identifier_url == "https://example.invalid/repo"


def test_files_that_differ_from_the_commit_are_listed(repository):
    Path("a.py").write_text("2")
    Path("new file.py").write_text("1")
    git("mv", "old name.py", "new name.py")
    changed = CodeVersions().ask().code_identifier_message
    assert sorted(changed) == ["a.py", "new file.py", "new name.py"]


def test_outside_a_repository():
    version = CodeVersions().ask()
    assert (version.code_identifier, version.code_identifier_message) == (None, "")


def test_before_the_first_commit():
    git("init", "-q")
    assert CodeVersions().ask().code_identifier is None


def test_git_is_not_asked_at_each_run(repository):
    versions = CodeVersions()
    first = versions.ask()
    Path("a.py").write_text("2")
    assert versions.ask() is first


def test_it_is_recorded_with_each_attempt(repository, in_memory):
    run_log = Pipeline(steps=[Stub(name="s")]).execute(services=in_memory)
    (identity,) = run_log.steps["s"].attempts[0].code_identities
    assert identity.code_identifier == git("rev-parse", "HEAD").strip()
    assert identity.code_identifier_dependable


def test_image_and_workflow_are_recorded(in_memory, monkeypatch):
    monkeypatch.setenv("RUNNABLE_CODE_ID_DOCKER_IMAGE_DIGEST", "sha256:abc")
    monkeypatch.setenv("RUNNABLE_CODE_ID_ARGO_WORKFLOW_UID", "1-2-3")
    task = PythonTask(name="t", function=lambda: 1)
    run_log = task.as_pipeline().execute(services=in_memory)
    (attempt,) = run_log.steps["t"].attempts
    found = {
        it.code_identifier_type: it.code_identifier for it in attempt.code_identities
    }
    assert found == {
        "git": found["git"],
        "docker": "sha256:abc",
        "argo": "1-2-3",
    }
