"""Progress where nothing can be drawn: in pipes and files."""

import subprocess
import sys
from pathlib import Path

import pytest

from runnable import Pipeline, PythonTask
from tests.progress.flow import pipeline
from tests.progress.test_terminal import FLOW


def execute(*arguments, **variables):
    return subprocess.run(
        [sys.executable, "-m", "runnable.cli", "execute", str(FLOW), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(FLOW.parents[2]), **variables},
    )


def test_each_step_of_the_run_has_a_line_and_so_has_each_failure():
    Path("go-on").touch()
    finished = execute("--tag=nightly")

    lines = [
        it.partition("] ")[2]
        for it in finished.stderr.splitlines()
        if it.startswith("[")
    ]
    assert lines[0].startswith("clean: SUCCESS after ")
    assert "both.flaky.try: attempt 2" in lines
    assert "both.flaky.try: attempt 3" in lines
    failed = [it for it in lines if it.startswith("both.folds.fits.3.fit: FAIL")]
    assert "(ValueError: bad \\x1b[31mfold\\x1b[0m [red]3[/red])" in failed[0]
    assert lines[-1].startswith("both: FAIL after ")
    assert "\x1b" not in finished.stderr.replace("cleaning \x1b[32mgreen\x1b[0m", "")


@pytest.mark.parametrize("option", ["--no-progress", "--json"])
def test_no_line_is_written_if_it_is_not_wanted(option):
    Path("go-on").touch()
    lines = execute(option).stderr.splitlines()
    assert not [it for it in lines if it.startswith("[")]


def test_an_embedded_run_is_silent(capfd):
    Path("go-on").touch()
    flow = Pipeline(steps=[PythonTask(name="s", function=lambda: 1, returns=["x"])])
    flow.execute()
    assert capfd.readouterr() == ("", "")


def test_a_reader_that_has_gone_does_not_end_the_run():
    Path("go-on").touch()
    Path("script.py").write_text(
        "import os, sys\n"
        "from tests.progress.flow import pipeline\n"
        "read, write = os.pipe()\n"
        "os.close(read)\n"
        "os.dup2(write, 2)\n"
        "given = {'folds': [0, 1]}\n"
        "print(pipeline().execute(parameters=given, progress=True).status)\n"
    )
    finished = subprocess.run(
        [sys.executable, "script.py"],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(FLOW.parents[2])},
    )
    assert finished.stdout.splitlines()[-1] == "SUCCESS"


def test_what_succeeded_before_is_known_when_a_run_is_resumed(capfd):
    flow = pipeline()
    Path("go-on").touch()
    given = {"folds": list(range(8))}
    with pytest.raises(Exception, match="failed"):
        flow.execute(parameters=given, run_id="r1")
    capfd.readouterr()
    with pytest.raises(Exception, match="failed"):
        flow.execute(resume="r1", progress=True)
    lines = capfd.readouterr().err.splitlines()
    assert any("both.folds.fits: FAIL" in it and "7 of 8" in it for it in lines)
    assert not any("clean" in it for it in lines)
