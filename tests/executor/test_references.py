"""How another process finds a pipeline: from the caller, or as its author says."""

import asyncio
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from command_line import runnable

from runnable import Pipeline, PythonTask, get_run_log
from runnable.exceptions import ConfigurationError

EMULATOR = {"pipeline_executor": {"type": "emulator"}}
FLOWS = """
import os
from runnable import AsyncPipeline, Map, Pipeline, PythonJob, PythonTask
from . import helpers

EMULATOR = {"pipeline_executor": {"type": "emulator"},
            "job_executor": {"type": "emulator"}}

def pid():
    return os.getpid()

def bad():
    raise ValueError("bad data")

def build():
    step = PythonTask(name="each", function=pid, returns=["pid"])
    return Pipeline(name="built", reference=REFERENCE, steps=[
        PythonTask(name="first", function=helpers.pid, returns=["one"]),
        Map(name="m", iterate_on="xs", iterate_as="x", branch=step.as_pipeline()),
    ])

REFERENCE = ""
COMMON = {"parameters": {"xs": [1, 2]}, "services": EMULATOR}

def main(run_id="r1"):
    return build().execute(run_id=run_id, **COMMON)

def any_id():
    return build().execute(**COMMON)

async def main_async():
    return await build().execute_async(run_id="r1", **COMMON)

def job():
    made = PythonJob(function=pid, returns=["pid"])
    return made.execute(job_id="r1", services=EMULATOR)

def with_arguments(n):
    return main()

def with_default(number=1):
    def scaled():
        return number
    step = PythonTask(name="s", function=scaled, returns=["x"])
    return step.as_pipeline().execute(run_id="r1", services=EMULATOR)

class Service:
    def handle(self):
        return build().execute(run_id="r1", **COMMON)

def referred(run_id):
    global REFERENCE
    REFERENCE = "app.flows:build"
    return build().execute(run_id=run_id, **COMMON)

def failing(run_id="r1"):
    step = PythonTask(name="s", function=bad, returns=["x"])
    return step.as_pipeline().execute(run_id=run_id, services=EMULATOR)
"""


@pytest.fixture(autouse=True)
def package():
    Path("app").mkdir()
    Path("app/__init__.py").touch()
    Path("app/helpers.py").write_text("import os\ndef pid():\n    return os.getpid()\n")
    Path("app/flows.py").write_text(FLOWS)


def python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False
    )


def assert_in_processes(run_log, reference):
    assert run_log.status == "SUCCESS"
    assert run_log.run_config["reference"] == reference
    pids = {run_log.parameters["one"].value, *run_log.parameters["pid"].value}
    assert len(pids) == 3


@pytest.mark.parametrize(
    ("code", "reference"),
    [
        ("import app.flows; app.flows.main()", "app.flows:main"),
        ("import app.flows; app.flows.with_arguments(1)", "app.flows:main"),
        (
            "import asyncio, app.flows; asyncio.run(app.flows.main_async())",
            "app.flows:main_async",
        ),
        ("import app.flows; app.flows.referred('r1')", "app.flows:build"),
        ("import app.flows; app.flows.any_id()", "app.flows:any_id"),
    ],
)
def test_a_function_of_a_module(code, reference):
    finished = python("-c", code)
    assert finished.returncode == 0, finished.stderr
    (copy,) = Path(".run_log_store").glob("*.json")
    assert_in_processes(get_run_log(copy.stem), reference)


def test_a_script_that_calls_the_function_of_a_module():
    Path("main.py").write_text("from app.flows import main\nmain()\n")
    assert python("main.py").returncode == 0
    assert_in_processes(get_run_log("r1"), "app.flows:main")


def test_a_module_that_is_run_and_imports_its_neighbours():
    more = "\nif __name__ == '__main__':\n    build().execute(run_id='r1', **COMMON)\n"
    Path("app/flows.py").write_text(FLOWS + more)
    finished = python("-m", "app.flows")
    assert finished.returncode == 0, finished.stderr
    assert_in_processes(get_run_log("r1"), "app.flows")


def test_a_module_from_a_folder_elsewhere_is_named_by_its_file():
    Path("lib").mkdir()
    Path("app").rename("lib/app")
    code = "import sys; sys.path.insert(0, 'lib'); import app.flows; app.flows.main()"
    finished = python("-c", code)
    assert finished.returncode == 0, finished.stderr
    assert_in_processes(get_run_log("r1"), "lib/app/flows.py:main")


def test_a_job():
    finished = python("-c", "import app.flows; app.flows.job()")
    assert finished.returncode == 0, finished.stderr
    run_log = get_run_log("r1")
    assert run_log.job.status == "SUCCESS"
    assert run_log.run_config["reference"] == "app.flows:job"


def pid():
    import os

    return os.getpid()


@pytest.mark.parametrize(
    ("call", "status"), [("with_default()", 0), ("with_default(7)", 1)]
)
def test_a_function_that_was_called_with_arguments_is_not_called_again(call, status):
    finished = python("-c", f"import app.flows; app.flows.{call}")
    assert finished.returncode == status, finished.stderr
    if status:
        assert "needs a definition that another process finds" in finished.stderr
    else:
        assert get_run_log("r1").parameters["x"].value == 1


def test_from_a_test():
    """This function is called again by the processes of the steps."""
    steps = [PythonTask(name=n, function=pid, returns=[n]) for n in ("a", "b")]
    run_log = Pipeline(steps=steps).execute(services=EMULATOR)
    values = {it.value for it in run_log.parameters.values()}
    assert len(values) == 2
    assert pid() not in values
    assert run_log.run_config["reference"] == f"{__file__}:test_from_a_test"


async def test_from_a_test_on_an_event_loop():
    step = PythonTask(name="a", function=pid, returns=["a"])
    run_log = await step.as_pipeline().execute_async(services=EMULATOR)
    assert run_log.parameters["a"].value != pid()


def pipeline_of_this_file():
    step = PythonTask(name="a", function=pid, returns=["a"])
    return Pipeline(steps=[step], reference=f"{__file__}:pipeline_of_this_file")


@pytest.mark.parametrize("where", ["thread", "task", "fixture"])
def test_a_reference_of_its_own_is_enough_everywhere(where, tmp_path):
    pipeline = pipeline_of_this_file()
    if where == "thread":
        with ThreadPoolExecutor() as pool:
            run_log = pool.submit(pipeline.execute, services=EMULATOR).result()
    elif where == "task":
        run_log = asyncio.run(pipeline.execute_async(services=EMULATOR))
    else:
        run_log = pipeline.execute(services=EMULATOR)
    assert run_log.parameters["a"].value != pid()


def test_without_one_it_is_refused_before_it_starts(tmp_path):
    step = PythonTask(name="a", function=pid, returns=["a"])
    with pytest.raises(
        ConfigurationError, match=r"reference='package.module:function'"
    ):
        step.as_pipeline().execute(services=EMULATOR)
    assert not Path(".run_log_store").exists()


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("app.flows:nothing", "there is no function 'nothing' in app.flows"),
        ("app.missing:build", "there is no module 'app.missing'"),
        ("app/missing.py:build", "there is no file app/missing.py"),
        ("app.flows:COMMON", "app.flows.COMMON is a dict, not a function"),
        ("app.flows:not one", "names no function"),
        ("no such thing", "there is no file 'no such thing'"),
        ("app.helpers:pid", "executes no pipeline and no job, and returns none"),
        ("app.nothing", "there is no function 'app.nothing', and no module"),
        ("flow.yaml:build", "a YAML file has no functions"),
    ],
)
@pytest.mark.parametrize("command", ["execute", "check", "execute-single-node"])
def test_a_reference_that_leads_nowhere(command, reference, message):
    if command == "execute" and reference == "app.helpers:pid":
        message = "has executed no pipeline"
    arguments = {"execute-single-node": ["r1", reference, "first"]}
    finished = runnable(command, *arguments.get(command, [reference]))
    assert finished.returncode not in {0, -1}
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr


@pytest.mark.parametrize(
    "reference",
    ["app.flows:build", "app/flows.py:build", "app.flows.build", "app.flows:main"],
)
def test_the_command_line_takes_references(reference):
    Path("p.yaml").write_text("xs: [1, 2]\n")
    Path("c.yaml").write_text("pipeline-executor: {type: emulator}\n")
    more = ["--config", "c.yaml", "--parameters", "p.yaml"]
    assert runnable("check", reference, *more).returncode == 0
    finished = runnable("execute", reference, "r7", *more, "--json")
    assert finished.returncode == 0, finished.stderr
    run_id = json.loads(finished.stdout.splitlines()[-1])["run_id"]
    run_log = get_run_log(run_id)
    assert_in_processes(run_log, reference)


def test_a_run_of_a_function_is_resumed():
    finished = python("-c", "import app.flows; app.flows.failing()")
    assert "bad data" in finished.stderr
    flows = Path("app/flows.py").read_text()
    mended = flows.replace('raise ValueError("bad data")', "return 1")
    Path("app/flows.py").write_text(mended)
    finished = runnable("retry", "r1")
    assert finished.returncode == 0, finished.stderr
    assert get_run_log("r1").parameters["x"].value == 1


def test_steps_in_processes_share_no_folder_of_their_run():
    step = PythonTask(name="a", function=pid, returns=["a"], workspace="run")
    pipeline = Pipeline(steps=[step], reference=f"{__file__}:pipeline_of_this_file")
    with pytest.raises(ConfigurationError, match="a folder that the steps of a run"):
        pipeline.execute(services=EMULATOR)
    assert not Path(".run_log_store").exists()
