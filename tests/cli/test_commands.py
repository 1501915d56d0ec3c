"""The commands besides `execute`, each in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import runnable

from runnable.cli.app import COMMANDS

FUNCTIONS = """
def one():
    print("printed")
    return 1
def fail():
    raise ValueError("bad data")
def is_done(i): return i == 1
def add(x: int): return x + 1
"""
PIPELINE = """
dag:
  name: daily
  start_at: first step
  steps:
    first step: {type: task, command: functions.one, next: each,
                 returns: [{name: x, kind: metric}]}
    each:
      type: map
      iterate_on: xs
      iterate_as: x
      branch: {start_at: s, steps: {s: {type: task, command: functions.add,
                                        returns: [y], next: success}}}
      next: success
"""
FAILING = """
dag: {start_at: s, steps: {s: {type: task, command: functions.fail, next: success}}}
"""
JOB = """
from runnable import PythonJob
from functions import one
def main():
    job = PythonJob(function=one, returns=["n"])
    job.execute()
    return job
"""


@pytest.fixture(autouse=True)
def files():
    Path("functions.py").write_text(FUNCTIONS)
    Path("pipeline.yaml").write_text(PIPELINE)
    Path("failing.yaml").write_text(FAILING)
    Path("parameters.yaml").write_text("xs: [1, 2]\npassword: hush\n")
    Path("config.yaml").write_text(
        "run-log-store:\n  type: file-system\n  config: {log_folder: logs}\n"
    )


def executed(run_id, *more):
    finished = runnable(
        "execute", "pipeline.yaml", run_id, "-p", "parameters.yaml", *more
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_a_yaml_pipeline_is_executed():
    shown = executed("r1", "-c", "config.yaml", "--tag", "nightly")
    assert "printed\nRun r1: SUCCESS" in shown
    assert Path("logs/r1.json").exists()
    again = runnable("execute", "pipeline.yaml", "r1", "-c", "config.yaml",
                     "-p", "parameters.yaml")  # fmt: skip
    assert again.returncode == 2
    assert "exists already" in again.stderr


def test_json_alone_on_standard_output():
    finished = runnable(
        "execute", "pipeline.yaml", "r1", "-p", "parameters.yaml", "--json"
    )
    said = json.loads(finished.stdout)
    assert said["status"] == "SUCCESS"
    assert said["parameters"]["y"] == [2, 3]
    assert said["metrics"] == {"x": 1}
    assert said["pipeline"] == "daily"
    assert "printed" in finished.stderr
    failed = runnable("execute", "failing.yaml", "--json")
    assert failed.returncode == 1
    said = json.loads(failed.stdout)
    assert (said["status"], said["error"]) == ("FAIL", "s: ValueError: bad data")
    wrong = json.loads(runnable("execute", "nope.yaml", "--json").stdout)
    assert wrong == {"error": "there is no file nope.yaml", "exit_status": 2}


def test_a_failing_pipeline_is_one_readable_block():
    finished = runnable("execute", "failing.yaml")
    assert finished.returncode == 1
    assert "step 's': ValueError: bad data" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert "Traceback" in runnable("execute", "failing.yaml", "--verbose").stderr


def test_an_error_of_a_script_is_one_line_with_its_location():
    Path("script.py").write_text("x = 1\nraise KeyError('nothing')\n")
    finished = runnable("execute", "script.py")
    assert finished.returncode == 1
    assert len(finished.stderr.splitlines()) == 1
    assert "KeyError: 'nothing'" in finished.stderr
    assert "script.py:2" in finished.stderr


def test_options_are_used_where_a_script_gives_none():
    Path("script.py").write_text(
        "from runnable import PythonJob\n"
        "from functions import add\n"
        "log = PythonJob(function=add, returns=['y']).execute(tag='mine')\n"
        "print(log.run_id, log.tag, log.parameters['y'].value)\n"
    )
    Path("p.yaml").write_text("x: 41\n")
    finished = runnable(
        "execute", "script.py", "r7", "-c", "config.yaml", "-p", "p.yaml", "--tag", "t"
    )
    assert finished.stdout == "r7 mine 42\n", finished.stderr
    assert Path("logs/r7.json").exists()


def test_a_yaml_run_is_retried_with_its_configuration():
    Path("mend.yaml").write_text(
        "dag: {start_at: s, steps: {s: {type: task, command_type: shell, "
        "command: test -f mended, next: success}}}\n"
    )
    first = runnable("execute", "mend.yaml", "r1", "-c", "config.yaml")
    assert first.returncode == 1
    Path("mended").touch()
    assert runnable("retry", "r1").returncode == 2  # it is kept elsewhere
    finished = runnable("retry", "r1", "-c", "config.yaml")
    assert finished.returncode == 0, finished.stderr
    assert "Run r1: SUCCESS" in finished.stdout


def test_runs_are_listed_shown_compared_and_deleted():
    executed("r1", "--tag", "a")
    executed("r2", "--tag", "b")
    listed = json.loads(runnable("runs", "list", "--json").stdout)
    assert [(run["run_id"], run["tag"], run["status"]) for run in listed] == [
        ("r2", "b", "SUCCESS"),
        ("r1", "a", "SUCCESS"),
    ]
    table = runnable("runs", "list", "--tag", "a", "--status", "success").stdout
    assert table.split()[:5] == ["run", "status", "pipeline", "tag", "started"]
    assert "r1" in table
    assert "r2" not in table
    assert "1 more" in runnable("runs", "list", "--limit", "1").stdout
    assert "Run r1: SUCCESS" in runnable("runs", "show", "r1").stdout
    shown = json.loads(runnable("runs", "show", "r1", "--json").stdout)
    assert shown["steps"]["first step"]["status"] == "SUCCESS"
    compared = json.loads(runnable("runs", "compare", "r1", "r2", "--json").stdout)
    assert compared == [{"what": "tag", "first": "a", "second": "b"}]
    assert runnable("runs", "delete").returncode == 2
    kept = runnable("runs", "delete", "r1", input="n\n")
    assert kept.returncode == 1
    assert "r1" in kept.stdout
    assert kept.stderr == "runnable: nothing was deleted\n"
    assert "deleted r1" in runnable("runs", "delete", "r1", "--yes").stdout
    assert runnable("runs", "show", "r1").returncode == 2
    assert runnable("runs", "delete", "--older-than", "3x", "-y").returncode == 2
    assert "No runs." in runnable("runs", "delete", "--keep", "1", "-y").stdout


def test_a_pipeline_is_checked_without_running():
    finished = runnable("check", "pipeline.yaml", "-p", "parameters.yaml")
    assert finished.returncode == 0, finished.stderr
    assert "first step  python functions.one -> x" in finished.stdout
    assert "each  map of xs as x" in finished.stdout
    assert not Path(".run_log_store").exists()
    missing = runnable("check", "pipeline.yaml")
    assert missing.returncode == 2
    assert "needs parameter 'xs'" in missing.stderr
    Path("wrong.yaml").write_text("dag:\n  start_at: s\n  stesp: {}\n")
    wrong = runnable("check", "wrong.yaml")
    assert wrong.returncode == 2
    assert "wrong.yaml:3:3" in wrong.stderr
    Path("c.yaml").write_text(
        "catalog:\n  type: file-system\n  config: {colour: red}\n"
    )
    wrong = runnable("check", "pipeline.yaml", "-p", "parameters.yaml", "-c", "c.yaml")
    assert wrong.returncode == 2
    assert "c.yaml:3:12: catalog" in wrong.stderr


def test_a_script_is_checked_without_running():
    Path("script.py").write_text(
        "from runnable import Pipeline, PythonTask\n"
        "from functions import add, one\n"
        "p = Pipeline(steps=[PythonTask(name='s', function=one, returns=['x'])])\n"
        "log = p.execute()\n"
        "q = Pipeline(steps=[PythonTask(name='t', function=add)])\n"
        "q.execute(parameters=dict(x=log.parameters['x'].value))\n"
    )
    finished = runnable("check", "script.py")
    assert finished.returncode == 0, finished.stderr
    assert "s  python functions.one -> x" in finished.stdout
    assert "ended with KeyError: 'x'" in finished.stdout
    assert "printed" not in finished.stdout


def test_the_configuration_in_force_is_explained():
    said = {"RUNNABLE_PRM_colour": '"red"', "RUNNABLE_VAR_key": "hush"}
    finished = runnable(
        "config", "show", "-c", "config.yaml", "-p", "parameters.yaml", "--json",
        env={**os.environ, **said},
    )  # fmt: skip
    settings = {it["name"]: it for it in json.loads(finished.stdout)}
    assert settings["run_log_store.log_folder"] == {
        "name": "run_log_store.log_folder",
        "value": "logs",
        "source": "config.yaml:3:12",
    }
    assert settings["catalog.catalog_location"]["source"] == "default"
    assert settings["parameters.xs"]["source"] == "parameters.yaml:1:1"
    assert settings["parameters.colour"]["source"] == "RUNNABLE_PRM_colour"
    assert settings["configuration_file"]["source"] == "option"
    assert "hush" not in finished.stdout
    shown = runnable("config", "show", "-c", "config.yaml").stdout
    assert "config.yaml:3:12" in shown


def test_secrets_of_services_are_masked():
    Path("c.yaml").write_text(
        "catalog: {type: s3, config: {bucket: b, aws_secret_access_key: hush}}\n"
        "run_log_store: {type: postgres, url: 'postgresql://a:hush@h/d'}\n"
    )
    finished = runnable("config", "show", "-c", "c.yaml")
    assert finished.returncode == 0, finished.stderr
    assert "hush" not in finished.stdout
    assert "***" in finished.stdout


def test_a_project_of_0_50_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.py").write_text("import runnable.nodes\n")
    done = runnable("migrate", ".")
    assert done.returncode == 1
    assert done.stdout.startswith("flow.py:1: runnable.nodes is gone")
    assert done.stderr == "runnable: 1 to change\n"
    (tmp_path / "flow.py").write_text("import runnable\n")
    assert runnable("migrate", ".").stdout == "Nothing has to change.\n"
    refused = runnable("migrate", "nowhere")
    assert refused.returncode == 2
    assert "is no folder" in refused.stderr


def test_installed_plugins_are_listed():
    listed = json.loads(runnable("plugins", "--json").stdout)
    known = {(it["kind"], it["name"]) for it in listed}
    assert {("catalog", "s3"), ("tasks", "shell"), ("nodes", "map")} <= known
    assert not [it for it in listed if it["problem"]]
    assert "file-system" in runnable("plugins").stdout


def test_the_schema_is_printed():
    schema = json.loads(runnable("schema").stdout)
    assert schema["$defs"]["graph"]["required"] == ["start_at", "steps"]


def test_a_timeline_is_drawn_and_written():
    executed("r1")
    finished = runnable("timeline", "r1")
    assert finished.returncode == 0, finished.stderr
    assert "r1 (daily): SUCCESS" in finished.stdout
    assert "<title>r1: SUCCESS</title>" in Path("r1_timeline.html").read_text()
    finished = runnable(
        "timeline", ".run_log_store/r1.json", "--no-console", "-o", "t.html"
    )
    assert finished.stdout == "Written to t.html\n"
    assert runnable("timeline", "nobody").returncode == 2
    assert runnable("timeline", "nobody.json").returncode == 2


PLACE = '{"map_variable": {"x": {"value": %s}}, "loop_variable": []}'


@pytest.mark.parametrize("item", ["%d", '"%d"'])
def test_a_pipeline_is_run_step_by_step(item):
    """As commands that an orchestrator makes have it."""
    common = ["-p", "parameters.yaml", "--log-level", "WARNING"]
    branch = "each.map_variable_placeholder"
    assert runnable(
        "execute-single-node", "r1", "pipeline.yaml", "first%step", *common
    ).stdout == "printed\n"  # fmt: skip
    out = runnable("fan", "r1", "each", "pipeline.yaml", "out", *common, "--json")
    branches = json.loads(out.stdout)["branches"]
    assert [it["variables"] for it in branches] == [{"x": 1}, {"x": 2}]
    for number in (1, 2):
        for step in ("s", "success"):
            finished = runnable(
                "execute-single-node", "r1", "pipeline.yaml", f"{branch}.{step}",
                "--iter-variable", PLACE % (item % number),
            )  # fmt: skip
            assert finished.returncode == 0, finished.stderr
    assert runnable("fan", "r1", "each", "pipeline.yaml", "in").stdout == "done\n"
    runnable("execute-single-node", "r1", "pipeline.yaml", "success")
    shown = json.loads(runnable("runs", "show", "r1", "--json").stdout)
    assert shown["status"] == "SUCCESS"
    assert shown["parameters"]["y"]["value"] == [2, 3]


def test_single_steps_that_do_not_go_well():
    failed = runnable("execute-single-node", "r1", "failing.yaml", "s")
    assert failed.returncode == 1
    assert "step 's' of run 'r1' has failed: ValueError: bad data" in failed.stderr
    wrong = runnable("execute-single-node", "r1", "failing.yaml", "t")
    assert wrong.returncode == 2
    wrong = runnable(
        "execute-single-node", "r1", "failing.yaml", "s", "--iter-variable", "{"
    )
    assert wrong.returncode == 2
    assert "--iter-variable" in wrong.stderr
    assert runnable("fan", "r1", "s", "failing.yaml", "up").returncode == 2


def test_a_job_is_run_by_the_function_that_makes_it():
    Path("jobs.py").write_text(JOB)
    finished = runnable("execute-job", "jobs.main", "j1")
    assert (finished.returncode, finished.stdout) == (0, "printed\n"), finished.stderr
    shown = json.loads(runnable("runs", "show", "j1", "--json").stdout)
    assert shown["job"]["status"] == "SUCCESS"
    assert runnable("execute-job", "jobs.nothing").returncode == 2
    no_job = runnable("execute-job", "failing.yaml")
    assert no_job.returncode == 2
    assert "makes no such job" in no_job.stderr


@pytest.mark.parametrize("how", ["script.py", "script.main"])
def test_a_step_of_a_pipeline_in_python(how):
    Path("script.py").write_text(
        "from runnable import PythonTask\n"
        "from functions import one\n"
        "def main():\n"
        "    pipeline = PythonTask(name='s', function=one).as_pipeline()\n"
        "    pipeline.execute()\n"
        "    return pipeline\n"
        "if __name__ == '__main__':\n"
        "    main()\n"
    )
    finished = runnable("execute-single-node", "r1", how, "s", "--mode", "python")
    assert (finished.returncode, finished.stdout) == (0, "printed\n"), finished.stderr


def test_the_help_of_all_commands_is_that_of_each():
    shown = runnable("--help").stdout
    for name, (_, first_line) in COMMANDS.items():
        assert f"  {name:21}{first_line}\n" in shown
    for name in ("execute", "retry", "fan", "config", "runs", "argo"):
        own = runnable(name, "--help")
        assert own.returncode == 0
        assert f"\n\n  {COMMANDS[name][1]}\n" in own.stdout
        assert f"Usage: runnable {name} " in own.stdout


def test_help_needs_neither_rich_nor_the_modules_of_commands():
    script = (
        "import sys\n"
        "from runnable.cli.app import app\n"
        "try:\n"
        "    app(['--help'])\n"
        "except SystemExit:\n"
        "    print(sorted({'rich', 'pydantic', 'runnable.cli.execute'} & {*sys.modules}))"
    )
    command = [sys.executable, "-c", script]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stdout.endswith("\n[]\n")


def test_completion():
    shown = runnable("--show-completion", env={**os.environ, "SHELL": "/bin/bash"})
    assert "complete" in shown.stdout + shown.stderr


def test_check_looks_for_notebooks_and_steps_that_are_patched():
    Path("p.yaml").write_text(
        "dag:\n  start_at: n\n  steps:\n"
        "    n: {type: task, command_type: notebook, command: no.ipynb, next: success}\n"
    )
    checked = runnable("check", "p.yaml")
    assert checked.returncode == 2
    assert "there is no notebook no.ipynb" in checked.stderr
    Path("c.yaml").write_text(
        "pipeline-executor:\n  type: mocked\n  config: {patches: {m: {command: x.y}}}\n"
    )
    checked = runnable("check", "p.yaml", "-c", "c.yaml")
    assert checked.returncode == 2
    assert "there is no task or stub 'm'" in checked.stderr
