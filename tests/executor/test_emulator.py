"""The emulator: each task in a process of its own, by a command."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import runnable

from runnable import get_run_log, load_pipeline
from runnable.exceptions import ConfigurationError

EMULATOR = "pipeline-executor: {type: emulator}\njob-executor: {type: emulator}\n"
FUNCTIONS = """
import os, time
def pid(): return os.getpid()
def die(): os._exit(7)
def fail(): raise ValueError("bad data")
def needs_mending():
    assert os.path.exists("mended"), "not yet"
    return os.environ["RUNNABLE_RUN_ID"], os.getcwd()
def wait():
    open("begun", "w").close()
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def files():
    Path("functions.py").write_text(FUNCTIONS)
    Path("runnable-config.yaml").write_text(EMULATOR)


def write(*steps, name="p.yaml"):
    """Write a pipeline whose steps follow each other."""
    names = [f"step {number}" for number in range(len(steps))]
    following = [*names[1:], "success"]
    described = {
        name: {"type": "task", "next": after, **step}
        for name, step, after in zip(names, steps, following, strict=True)
    }
    # JSON is YAML as well.
    Path(name).write_text(
        json.dumps({"dag": {"start_at": names[0], "steps": described}})
    )


def executed(*more, status=0):
    finished = runnable("execute", "p.yaml", "r1", *more)
    assert finished.returncode == status, finished.stderr
    return get_run_log("r1")


def test_every_task_has_a_process():
    pids = [{"command": "functions.pid", "returns": [f"pid{n}"]} for n in range(2)]
    write(*pids)
    run_log = executed()
    values = [run_log.parameters[f"pid{n}"].value for n in range(2)]
    assert len(set(values)) == 2
    assert run_log.run_config["pipeline_executor"]["service_name"] == "emulator"


def test_a_process_that_dies_fails_its_step():
    mend = {"type": "stub", "next": "success"}
    write({"command": "functions.die", "on_failure": "mend"})
    content = json.loads(Path("p.yaml").read_text())
    content["dag"]["steps"]["mend"] = mend
    Path("p.yaml").write_text(json.dumps(content))
    run_log = executed()
    (attempt,) = run_log.steps["step 0"].attempts
    assert attempt.status == "FAIL"
    assert "its process ended with status 7" in attempt.message
    assert run_log.status == "SUCCESS"


def test_attempts_and_the_reason_are_the_process_s():
    write({"command": "functions.fail", "max_attempts": 3})
    run_log = executed(status=1)
    attempts = run_log.steps["step 0"].attempts
    assert [it.message for it in attempts] == ["ValueError: bad data"] * 3


def test_a_run_is_resumed():
    pid = {"command": "functions.pid", "returns": ["pid"]}
    write(pid, {"command": "functions.needs_mending", "returns": ["id", "folder"]})
    before = executed(status=1)
    Path("mended").touch()
    assert runnable("retry", "r1").returncode == 0
    run_log = get_run_log("r1")
    assert run_log.status == "SUCCESS"
    assert run_log.parameters["pid"].value == before.parameters["pid"].value
    assert run_log.parameters["id"].value == "r1"
    assert run_log.parameters["folder"].value == str(Path.cwd())
    assert len(run_log.steps["step 0"].attempts) == 1


def test_ctrl_c_ends_the_process_and_the_run():
    write({"command": "functions.wait"})
    command = [sys.executable, "-m", "runnable.cli", "execute", "p.yaml", "r1"]
    with subprocess.Popen(command, start_new_session=True) as process:
        while not Path("begun").exists():
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    run_log = get_run_log("r1")
    assert run_log.status == "CANCELLED"
    assert run_log.steps["step 0"].status == "CANCELLED"


def test_a_store_in_memory_cannot_be_shared(monkeypatch):
    monkeypatch.syspath_prepend(".")
    write({"command": "functions.pid"})
    with pytest.raises(
        ConfigurationError, match="cannot see a run log store in memory"
    ):
        load_pipeline("p.yaml").execute(services={"run_log_store": {"type": "memory"}})


def test_a_pipeline_that_no_file_describes():
    code = (
        "from runnable import PythonTask\n"
        "PythonTask(name='s', function=len).as_pipeline().execute("
        "parameters={'obj': []})"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert "needs a definition that another process finds" in finished.stderr


def test_a_script_is_stopped_at_its_execute():
    Path("script.py").write_text(
        "from runnable import Parallel, Pipeline, PythonTask\n"
        "from functions import pid\n"
        "def branch(n):\n"
        "    return PythonTask(name='s', function=pid, returns=[n]).as_pipeline()\n"
        "if __name__ == '__main__':\n"
        "    step = Parallel(name='p', branches={n: branch(n) for n in 'ab'})\n"
        "    log = Pipeline(steps=[step]).execute(run_id='r1')\n"
        "    print(len({it.value for it in log.parameters.values()}), 'processes')\n"
    )
    finished = subprocess.run(
        [sys.executable, "script.py"], capture_output=True, text=True, check=False
    )
    assert finished.stdout == "2 processes\n", finished.stderr


def test_jobs():
    Path("job.py").write_text(
        "import os\n"
        "from runnable import PythonJob\n"
        "from functions import pid, fail\n"
        "if __name__ == '__main__':\n"
        "    log = PythonJob(function=pid, returns=['pid']).execute()\n"
        "    print(log.parameters['pid'].value != os.getpid())\n"
        "    PythonJob(function=fail).execute()\n"
    )
    finished = subprocess.run(
        [sys.executable, "job.py"], capture_output=True, text=True, check=False
    )
    assert finished.stdout == "True\n", finished.stderr
    assert finished.returncode == 1


def test_a_script_with_the_name_of_the_pipeline():
    Path("script.py").write_text(
        "import sys\n"
        "from runnable import PythonTask\n"
        "def train():\n"
        "    task = PythonTask(name='s', function=pid, returns=['x'])\n"
        "    print(task.as_pipeline().execute(run_id='r1').status)\n"
        "from functions import pid\n"
        "if __name__ == '__main__':\n"
        "    {'train': train}[sys.argv[1]]()\n"
    )
    finished = subprocess.run(
        [sys.executable, "script.py", "train"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.stdout == "SUCCESS\n", finished.stderr


def test_a_tool_that_runs_a_pipeline_is_not_run_again():
    """What it calls is; see `tests/executor/test_references.py`."""
    Path("test_it.py").write_text(
        "from functions import pid\n"
        "from runnable import PythonTask\n"
        "def test_it():\n"
        "    open('tests.txt', 'a').write('once ')\n"
        "    PythonTask(name='s', function=pid).as_pipeline().execute()\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    finished = subprocess.run(
        [*command, "test_it.py"], stdout=subprocess.PIPE, text=True, check=False
    )
    assert "1 passed" in finished.stdout
    assert Path("tests.txt").read_text() == "once " * 2
