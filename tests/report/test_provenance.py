"""What a run ran with, and which of its steps reused results, wherever runs are shown."""

import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import runnable

from runnable import Pipeline, PythonTask, get_run_log, summarise
from runnable.datastore import RunLog
from runnable.journal import CodeIdentity
from runnable.report import as_page, as_text, compare, timeline
from runnable.report.provenance import packages_of, provenance


def work(x):
    return 2 * x


def executed(run_id, x=1, **settings):
    step = PythonTask(name="s", function=work, returns=["y"], **settings)
    pipeline = Pipeline(steps=[step])
    return pipeline.execute(run_id=run_id, parameters={"x": x})


@pytest.fixture
def repository():
    for command in (
        "git init -q .",
        "git config user.email a@b.c",
        "git config user.name a",
        "git add -A",
        "git commit -qm first --allow-empty",
    ):
        subprocess.run(command.split(), check=True)
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_commit_and_the_files_that_differ_are_shown(repository):
    short = repository[:12]
    clean = executed("r1")
    assert provenance(clean)["commit"] == short
    for name in ("a.py", "b.py", "c.py", "d.py"):
        Path(name).touch()
    # The version is asked for again after a while; a process of its own has no other.
    code = "from runnable import *; Stub(name='s').as_pipeline().execute(run_id='r2')"
    subprocess.run([sys.executable, "-c", code], check=True)
    changed = get_run_log("r2")
    text = f"commit   {short}, with changes in a.py, b.py, c.py and 1 more"
    assert text in summarise(changed)
    assert f"commit {short}, with changes in a.py" in as_text(timeline(changed))
    assert f"commit {short}, with changes in a.py" in as_page(timeline(changed))
    (difference,) = [it for it in compare(clean, changed) if it.what == "commit"]
    assert difference.first == short


def test_the_second_run_is_as_dependable_as_the_first(repository):
    for number in range(3):
        run_log = executed(f"r{number}")
        (attempt,) = run_log.steps["s"].attempts
        (code,) = attempt.code_identities
        assert code.code_identifier_dependable


def test_python_packages_machine_and_user_are_recorded():
    run_log = executed("r1")
    recorded = json.loads(Path(".run_log_store/r1.json").read_text())["run_config"]
    assert recorded["environment"]["python"] == platform.python_version()
    assert recorded["environment"]["machine"] == platform.node()
    assert recorded["environment"]["user"]
    assert "pydantic" in packages_of(run_log)
    assert f"machine  {platform.node()}, by " in runnable("runs", "show", "r1").stdout


def test_another_python_and_other_packages_are_differences():
    def log(python, packages):
        config = {"environment": {"python": python, "packages": packages}}
        return RunLog(run_id="r", status="SUCCESS", run_config=config)

    found = compare(log("3.11.1", "a==1 b==2"), log("3.12.1", "a==1 b==3 c==1"))
    assert [tuple(it) for it in found] == [
        ("python", "3.11.1", "3.12.1"),
        ("package b", "2", "3"),
        ("package c", "-", "1"),
    ]


def test_what_is_not_recorded_is_not_shown():
    assert provenance(RunLog(run_id="r1")) == {}
    assert provenance(RunLog(run_id="r1", run_config={"environment": "odd"})) == {}
    assert CodeIdentity().code_identifier is None


def test_a_step_that_reused_a_result_says_so():
    before = executed("r1", cache=True)
    after = executed("r2", cache=True)
    assert "cached" not in summarise(before)
    assert "SUCCESS" in summarise(after)
    assert "cached, from r1" in summarise(after)
    assert "cached, from r1" in as_text(timeline(after))
    assert as_page(timeline(after)).count("cached, from r1") == 1
    (difference,) = compare(before, after)
    assert difference == ("step s", "SUCCESS", "SUCCESS, cached, from r1")
    # Also one that reused what was itself reused: it names the run that has it.
    assert "cached, from r" in summarise(executed("r3", cache=True))
