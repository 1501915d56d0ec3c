"""`logs` and `artifacts`, and run ids that are not written in full."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import runnable

from runnable import Catalog, Pipeline, PythonTask, get_run_log, metric
from runnable.exceptions import RunLogNotFoundError
from tests.support.gates import wait_until


def work():
    print("hello \x1b[31mred\x1b[0m")
    Path("x.txt").write_text("content")
    return 0.25


@pytest.fixture
def run():
    task = PythonTask(
        name="s",
        function=work,
        returns=[metric("auc")],
        catalog=Catalog(put=["x.txt"]),
    )
    Pipeline(steps=[task]).execute(run_id="r1")


@pytest.mark.usefixtures("run")
def test_logs():
    shown = runnable("logs", "latest").stdout
    assert "--- s, attempt 1: SUCCESS\nhello \\x1b[31mred" in shown
    (log,) = json.loads(runnable("logs", "r", "s", "--json").stdout)
    assert (log["step"], log["attempt"], log["status"]) == ("s", 1, "SUCCESS")
    refused = runnable("logs", "r1", "t")
    assert refused.returncode == 2
    assert "has no step 't'" in refused.stderr


@pytest.mark.usefixtures("run")
def test_artifacts(tmp_path):
    assert "x.txt   file" in runnable("artifacts", "r1").stdout
    runnable("artifacts", "r1", "x.txt", "-o", str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_text() == "content"
    for arguments in (["r1", "y.txt"], ["r1", "-o", "copy"]):
        refused = runnable("artifacts", *arguments)
        assert refused.returncode == 2
        assert len(refused.stderr.splitlines()) == 1


@pytest.mark.usefixtures("run")
def test_runs_have_their_metrics_as_columns():
    heads, row = runnable("runs", "list").stdout.splitlines()
    assert heads.split()[-1] == "auc"
    assert row.split()[-1] == "0.25"


def test_what_a_running_step_prints_is_followed(tmp_path):
    (tmp_path / "script.py").write_text(
        "import time\n"
        "from pathlib import Path\n"
        "from runnable import PythonTask\n"
        "def work():\n"
        "    print('first line')\n"
        "    while not Path('go-on').exists():\n"
        "        time.sleep(0.05)\n"
        "    print('last line')\n"
        "PythonTask(name='s', function=work).as_pipeline().execute(run_id='r1')\n"
    )
    running = subprocess.Popen([sys.executable, "script.py"], stdout=-3)
    wait_until(lambda: Path(".run_log_store/r1.000001.jsonl").exists())
    follow = subprocess.Popen(
        [sys.executable, "-m", "runnable.cli", "logs", "r1", "--follow"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with running, follow:
        assert follow.stdout is not None
        assert follow.stdout.readline() == "--- s, attempt 1\n"
        assert follow.stdout.readline() == "first line\n"
        Path("go-on").touch()
        rest = follow.stdout.read()
    assert rest == "last line\n--- s, attempt 1: SUCCESS\n"


def test_what_a_killed_process_has_printed_is_shown(tmp_path):
    (tmp_path / "script.py").write_text(
        "import os, time\n"
        "from runnable import PythonTask, get_run_log\n"
        "def work():\n"
        "    print('first line')\n"
        "    print('no end', end='')\n"
        "    while not get_run_log('r1').execution_log('s'):\n"
        "        time.sleep(0.1)\n"
        "    os.kill(os.getpid(), 9)\n"
        "PythonTask(name='s', function=work).as_pipeline().execute(run_id='r1')\n"
    )
    subprocess.run([sys.executable, "script.py"], check=False, stdout=-3)
    for option in ((), ("--follow",)):
        shown = runnable("logs", "r1", *option).stdout
        assert shown == "--- s, attempt 1\nfirst line\nno end\n"
    (log,) = json.loads(runnable("logs", "r1", "--json").stdout)
    assert log["text"] == "first line\nno end"


def test_logs_are_followed_until_the_run_has_ended(tmp_path):
    script = tmp_path / "flow.py"
    script.write_text(
        "import time\n"
        "from pathlib import Path\n"
        "from runnable import Pipeline, PythonTask\n"
        "def first(): print('first')\n"
        "def second():\n"
        "    while not Path('go').exists(): time.sleep(0.01)\n"
        "    print('second')\n"
        "steps = [PythonTask(name=it.__name__, function=it) for it in (first, second)]\n"
        "Pipeline(steps=steps).execute(run_id='r1')\n"
    )
    running = subprocess.Popen([sys.executable, str(script)])
    wait_until(lambda: _has_begun("second"))
    follow = subprocess.Popen(
        [sys.executable, "-m", "runnable.cli", "logs", "r1", "--follow"],
        stdout=subprocess.PIPE,
        text=True,
    )
    with running, follow:
        assert follow.stdout is not None
        assert follow.stdout.readline() == "--- first, attempt 1: SUCCESS\n"
        Path("go").touch()
        rest = follow.stdout.read()
    assert rest == "first\n--- second, attempt 1: SUCCESS\nsecond\n"
    assert follow.returncode == 0


def _has_begun(step):
    try:
        return step in get_run_log("r1").steps
    except RunLogNotFoundError:
        return False
