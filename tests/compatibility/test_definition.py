"""D1 to D15: definition, re-import, process-global state."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import scripts

from runnable import Pipeline, PythonTask, get_run_log

calls: list[str] = []


def first():
    calls.append("first")


def second():
    calls.append("second")


def one(function, *returns, **more):
    name = getattr(function, "__name__", "step")
    return PythonTask(name=name, function=function, returns=list(returns), **more)


@pytest.fixture(autouse=True)
def no_calls():
    calls.clear()


def test_D1_every_execute_runs():
    pipeline = one(first).as_pipeline()
    statuses = [pipeline.execute().status for _ in range(3)]
    assert statuses == ["SUCCESS"] * 3
    assert calls == ["first"] * 3


def test_D2_a_function_executes_two_pipelines():
    def main():
        one(first).as_pipeline().execute()
        pipeline = one(second).as_pipeline()
        pipeline.execute()
        return pipeline

    main()
    assert calls == ["first", "second"]


def test_D3_main_is_called_once_and_its_result_is_there():
    finished = scripts.run(
        "from runnable import Pipeline, PythonTask\n"
        "print('module')\n"
        "def f(): return 1\n"
        "def main():\n"
        "    print('main')\n"
        "    p = Pipeline(steps=[PythonTask(name='s', function=f, returns=['x'])])\n"
        "    print(p.execute().parameters['x'].value)\n"
        "    return p\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    assert finished.stdout == "module\nmain\n1\n", finished.stderr


def test_D4_each_run_has_its_own_configuration():
    for name in ("one", "two"):
        Path(f"{name}.yaml").write_text(
            f"run-log-store: {{type: file-system, config: {{log_folder: {name}}}}}\n"
        )
        one(first).as_pipeline().execute(configuration_file=f"{name}.yaml")
    assert len(list(Path("one").glob("*.json"))) == 1
    assert len(list(Path("two").glob("*.json"))) == 1


def test_D5_the_id_of_a_run_is_not_that_of_the_next():
    pipeline = one(first).as_pipeline()
    before = dict(os.environ)
    ids = {pipeline.execute().run_id, pipeline.execute(run_id="mine").run_id}
    ids.add(pipeline.execute().run_id)
    assert len(ids) == 3
    assert dict(os.environ) == before


@pytest.mark.parametrize("name", ["deploy", "copy", "etl_map"])
def test_D6_any_name_of_a_function(name):
    Path("jobs_d6.py").write_text(
        "from runnable import PythonTask\n"
        "def work(): print('worked')\n"
        f"def {name}():\n"
        "    return PythonTask(name='s', function=work).as_pipeline()\n"
    )
    finished = subprocess.run(
        [sys.executable, "-m", "runnable.cli", "execute-single-node", "r1",
         f"jobs_d6.{name}", "s", "--mode", "python"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.stdout == "worked\n", finished.stderr


def test_D7_any_name_of_a_folder():
    for folder in ("py", "01-tasks"):
        finished = scripts.run(
            "from runnable import PythonTask\n"
            "def f(): print('ran')\n"
            "PythonTask(name='s', function=f).as_pipeline().execute()\n",
            f"{folder}/script.py",
        )
        assert finished.stdout == "ran\n", finished.stderr


EXECUTE = "PythonTask(name='s', function=lambda: print('ran')).as_pipeline().execute()"


@pytest.mark.parametrize(
    "code",
    [
        EXECUTE,
        f"class C:\n    def m(self): {EXECUTE}\nC().m()",
        f"def main(x): {EXECUTE}\nmain(1)",
        f"def helper(p): return p.execute()\ndef main(): helper({EXECUTE[:-10]})\nmain()",
        f"def main():\n    {EXECUTE}\nmain()",
    ],
)
def test_D8_execute_works_everywhere(code):
    code = f"from runnable import PythonTask\n{code}"
    finished = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert finished.stdout == "ran\n", finished.stderr


def test_D9_nested_functions_and_lambdas_are_tasks():
    def nested():
        return 1

    pipeline = Pipeline(
        steps=[
            PythonTask(name="a", function=nested, returns=["x"]),
            PythonTask(name="b", function=lambda x: x + 1, returns=["y"]),
        ]
    )
    assert pipeline.execute().parameters["y"].value == 2


def test_D10_a_task_may_change_the_directory(tmp_path):
    (tmp_path / "other").mkdir()
    here = Path.cwd()
    try:
        Pipeline(steps=[one(lambda: os.chdir(tmp_path / "other")), one(first)]).execute(
            run_id="r1"
        )
    finally:
        os.chdir(here)
    assert get_run_log("r1").status == "SUCCESS"


def test_D11_execute_returns_the_run_log():
    assert one(first).as_pipeline().execute(run_id="r1").run_id == "r1"


def test_D12_importing_prints_nothing_and_needs_no_encoding():
    finished = subprocess.run(
        [sys.executable, "-c", "import runnable; runnable.Pipeline"],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    assert (finished.stdout, finished.stderr) == (b"", b"")


def test_D13_the_log_level_shows():
    code = (
        "from runnable import Pipeline, PythonTask, Parallel\n"
        "def f(): return 1\n"
        "def g(): return 2\n"
        "b = {n: PythonTask(name='s', function=h, returns=['x']).as_pipeline()\n"
        "     for n, h in (('a', f), ('b', g))}\n"
        "Pipeline(steps=[Parallel(name='p', branches=b)]).execute()\n"
    )
    Path("script.py").write_text(code)

    def said(level):
        command = [sys.executable, "-m", "runnable.cli", "execute", "script.py"]
        return subprocess.run(
            [*command, "--no-progress", "--log-level", level],
            capture_output=True,
            text=True,
            check=True,
        ).stderr

    assert "both set parameter 'x'" in said("warning")
    assert said("error") == ""


def test_D14_the_path_of_imports_stays_and_the_tag_is_seen():
    seen = []

    def look():
        seen.append((list(sys.path), os.environ["RUNNABLE_RUN_TAG"]))

    before = list(sys.path)
    Pipeline(steps=[PythonTask(name=n, function=look) for n in ("a", "b")]).execute(
        tag="nightly"
    )
    assert seen == [(before, "nightly")] * 2
    assert sys.path == before
    assert "RUNNABLE_RUN_TAG" not in os.environ


def test_D15_git_is_asked_once(tmp_path):
    log = tmp_path / "git.log"
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexit 1\n')
    fake.chmod(0o755)
    finished = scripts.run(
        "from runnable import Pipeline, Stub\n"
        "Pipeline(steps=[Stub(name=str(n)) for n in range(9)]).execute()\n",
        PATH=f"{fake.parent}:{os.environ['PATH']}",
    )
    assert finished.returncode == 0, finished.stderr
    asked = log.read_text().splitlines() if log.exists() else []
    assert len(asked) <= 4
