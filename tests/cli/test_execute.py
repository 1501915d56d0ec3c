"""`runnable execute`: what a script comes to, for the shell."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

PIPELINE = (
    "from runnable import Pipeline, PythonTask\n"
    "def work():\n    {body}\n"
    "pipeline = Pipeline(steps=[PythonTask(name='s', function=work)])\n"
)
EXECUTE = "if __name__ == '__main__':\n    pipeline.execute({arguments})\n"


def execute(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "runnable.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("body", "arguments", "code", "text"),
    [
        ("print('done')", "", 0, ""),
        ("raise ValueError('bad data')", "", 1, "step 's': ValueError: bad data"),
        ("pass", "run_id='../x'", 2, "cannot be a run id"),
        ("pass", "services={'catalgo': {}}", 2, "Did you mean 'catalog'?"),
    ],
)
def test_exit_statuses(body, arguments, code, text):
    script = PIPELINE.format(body=body) + EXECUTE.format(arguments=arguments)
    Path("script.py").write_text(script)
    finished = execute("execute", "script.py", "--no-progress")
    assert finished.returncode == code, finished.stderr
    assert text in finished.stderr
    lines = finished.stderr.splitlines()
    if "bad data" in text:
        assert "  s  FAIL" in finished.stderr
        assert re.search(r"`runnable retry \S+` resumes it$", lines[-1])
    else:
        assert len(lines) == (1 if code else 0)
    assert finished.stdout == ("done\n" if code == 0 else "")


@pytest.mark.parametrize("more", ["", "import sys; sys.exit(0)"])
def test_a_script_that_executes_nothing_is_no_success(more):
    Path("script.py").write_text(PIPELINE.format(body="pass") + more)
    finished = execute("execute", "script.py")
    assert finished.returncode == 2
    assert "has executed no pipeline" in finished.stderr


def test_modules_beside_the_script_are_found():
    Path("sub").mkdir()
    Path("sub/helper.py").write_text("def work(): print('helped')\n")
    Path("sub/script.py").write_text(
        "from helper import work\n"
        "from runnable import PythonJob\n"
        "PythonJob(function=work).execute()\n"
    )
    finished = execute("execute", "sub/script.py")
    assert (finished.returncode, finished.stdout) == (0, "helped\n"), finished.stderr


def test_wrong_usage():
    assert execute("execute", "missing.py").returncode == 2
    assert execute("exceute").returncode == 2
    helped = execute("--help")
    assert helped.returncode == 0
    assert "execute" in helped.stdout


RETRIED = """
import sys
from pathlib import Path
from runnable import Pipeline, PythonTask

def first():
    print("first", sys.argv[0])

def second():
    if not Path("mended").exists():
        raise ValueError("not yet")
    print("second")

if __name__ == "__main__":
    steps = [PythonTask(name=f.__name__, function=f) for f in (first, second)]
    Pipeline(steps=steps).execute(run_id="r1")
"""


@pytest.mark.parametrize("how", ["runnable", "python"])
def test_a_run_is_retried_by_the_script_that_began_it(how):
    Path("jobs").mkdir()
    Path("jobs/script.py").write_text(RETRIED)
    if how == "runnable":
        assert execute("execute", "jobs/script.py").returncode == 1
    else:
        subprocess.run(
            [sys.executable, "jobs/script.py"], capture_output=True, check=False
        )
    finished = execute("retry", "r1")
    assert finished.returncode == 1
    assert "ValueError: not yet" in finished.stderr
    assert finished.stdout == ""
    assert "second  FAIL" in finished.stderr
    Path("mended").touch()
    finished = execute("retry", "r1")
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("second\nRun r1: SUCCESS\n")
    assert "3 attempts" in finished.stdout


def test_runs_that_cannot_be_retried():
    finished = execute("retry", "nobody")
    assert finished.returncode == 2
    assert "There is no run 'nobody'" in finished.stderr
    Path("script.py").write_text(RETRIED)
    execute("execute", "script.py")
    Path("script.py").unlink()
    finished = execute("retry", "r1")
    assert finished.returncode == 2
    assert "there is no file script.py here" in finished.stderr
    Path("c.yaml").write_text("run-log-store: {type: file-system, log_folder: x}\n")
    assert execute("retry", "r1", "-c", "c.yaml").returncode == 2


def test_a_run_that_no_script_began():
    code = (
        "from runnable import *; "
        "ShellTask(name='s', command='false').as_pipeline().execute(run_id='r1')"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    finished = execute("retry", "r1")
    assert finished.returncode == 2
    assert "no program is recorded that began it" in finished.stderr


def test_a_run_that_has_succeeded_is_left_alone():
    script = PIPELINE.format(body="print('done')")
    Path("script.py").write_text(script + EXECUTE.format(arguments="run_id='r1'"))
    execute("execute", "script.py")
    before = Path(".run_log_store/r1.json").read_bytes()
    finished = execute("retry", "r1")
    assert (finished.returncode, finished.stdout) == (
        0,
        "Run r1 has succeeded; there is nothing to do.\n",
    )
    assert Path(".run_log_store/r1.json").read_bytes() == before


def test_a_reader_that_has_seen_enough():
    script = PIPELINE.format(body="pass")
    Path("script.py").write_text(script + EXECUTE.format(arguments=""))
    execute("execute", "script.py")
    piped = subprocess.run(  # noqa: S602 - a pipe is what it is about
        f"{sys.executable} -m runnable.cli runs list --json | head -c 0; "
        f"{sys.executable} -m runnable.cli schema | head -c 0",
        shell=True, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert piped.stderr == ""


def test_the_version():
    assert execute("--version").stdout.startswith("1.0")


def test_json_output_reports_that_a_script_has_exited():
    Path("script.py").write_text("import sys\nsys.exit('usage: ...')\n")
    finished = execute("execute", "script.py", "--json")
    assert finished.returncode == 1
    assert finished.stderr == "usage: ...\n"
    told = json.loads(finished.stdout)
    assert told["exit_status"] == 1
    assert "sys.exit('usage: ...')" in told["error"]


IN_A_POOL = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from runnable import Pipeline, PythonTask

def work():
    Path("ran").touch()
    Pipeline(steps=[PythonTask(name="inner", function=lambda: 1)]).execute()

if __name__ == "__main__":
    with ThreadPoolExecutor() as pool:
        pipeline = Pipeline(steps=[PythonTask(name="a", function=work)])
        pool.submit(pipeline.execute).result()
"""


def test_threads_of_a_script_belong_to_it():
    Path("script.py").write_text(IN_A_POOL)
    checked = execute("check", "script.py")
    assert checked.returncode == 0, checked.stderr
    assert not Path("ran").exists()
    finished = execute("execute", "script.py", "--tag", "t", "--json")
    assert finished.returncode == 0, finished.stderr
    (line,) = finished.stdout.splitlines()  # what is nested is the step's own
    assert json.loads(line)["tag"] == "t"


def test_a_failure_that_the_script_has_caught_is_no_success():
    script = PIPELINE.format(body="raise ValueError('bad data')") + (
        "try:\n    pipeline.execute(run_id='r1')\nexcept Exception:\n    pass\n"
    )
    Path("script.py").write_text(script)
    finished = execute("execute", "script.py", "--no-progress")
    assert finished.returncode == 1
    assert finished.stderr.startswith("Run r1: FAIL\nFailed:\n  s: ValueError")
    assert finished.stderr.endswith("runnable: failed: run r1\n")


def test_a_handled_failure_within_a_step_is_no_failure():
    Path("script.py").write_text(
        "from runnable import PythonTask\n"
        "inner = PythonTask(name='i', function=lambda: 1 / 0).as_pipeline()\n"
        "def work():\n"
        "    try:\n        inner.execute()\n"
        "    except Exception:\n        pass\n"
        "PythonTask(name='s', function=work).as_pipeline().execute()\n"
    )
    assert execute("execute", "script.py").returncode == 0


def test_json_knows_no_nan():
    Path("script.py").write_text(
        "from runnable import PythonTask\n"
        "task = PythonTask(name='s', function=lambda: float('nan'), returns=['x'])\n"
        "task.as_pipeline().execute()\n"
    )
    finished = execute("execute", "script.py", "--json")
    assert json.loads(finished.stdout)["parameters"] == {"x": None}
    assert "NaN" not in finished.stdout
