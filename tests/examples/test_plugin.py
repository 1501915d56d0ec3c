"""The sample plugin: installed, its pipeline runs with all of its services."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[2] / "docs/examples/plugin"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the plugin, as pip installs it."""
    place = tmp_path_factory.mktemp("plugin")
    source, target = place / "source", place / "installed"
    shutil.copytree(PLUGIN, source)
    command = [
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"),
        *("--target", str(target), str(source)),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return target


@pytest.fixture
def run(installed, tmp_path):
    for name in ("pipeline.yaml", "script.py", "runnable-config.yaml",
                 "secrets.json", "parameters.yaml"):  # fmt: skip
        shutil.copy(PLUGIN / name, tmp_path)

    def run(*arguments):
        return subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": str(installed)},
        )

    return run


def check():
    assert "SUCCESS" in Path("logs/ended.txt").read_text()
    log = json.loads(next(Path("logs").glob("*.json")).read_text())
    assert log["status"] == "SUCCESS"
    assert log["run_config"]["secrets"]["service_name"] == "prefixed"
    objects = [*Path(".catalog/ada").rglob("*.json")]
    assert [json.loads(it.read_text()) for it in objects] == [[[42]]] * 2
    kept = "".join(it.read_text() for it in Path(".catalog").rglob("*.log"))
    assert "1 rows for run" in kept
    assert "only-a-sample" not in kept


def test_the_pipeline_file(run):
    finished = run(
        "-m", "runnable.cli", "execute", "pipeline.yaml", "-p", "parameters.yaml"
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stdout.startswith("Adding up: sums\n")
    assert "the password has 13 letters" in finished.stdout
    check()


def test_the_script(run):
    finished = run("script.py")
    assert finished.returncode == 0, finished.stderr
    assert "total: [[42]]" in finished.stdout
    check()


def test_the_emulator_uses_it_as_well(run):
    Path("em.yaml").write_text(
        Path("runnable-config.yaml")
        .read_text()
        .replace("{type: told, config: {greeting: Adding up}}", "{type: emulator}")
    )
    finished = run(
        *("-m", "runnable.cli", "execute", "pipeline.yaml"),
        *("-p", "parameters.yaml", "-c", "em.yaml"),
    )
    assert finished.returncode == 0, finished.stderr
    check()


def test_it_is_listed_checked_and_in_the_schema(run):
    listed = json.loads(run("-m", "runnable.cli", "plugins", "--json").stdout)
    ours = [it for it in listed if it["package"] == "runnable-sql-example"]
    assert len(ours) == 7
    assert not [it for it in ours if it["problem"]]
    checked = run(
        "-m", "runnable.cli", "check", "pipeline.yaml", "-p", "parameters.yaml"
    )
    assert checked.returncode == 0, checked.stderr
    assert "sum  sql select :left + :right -> total" in checked.stdout
    schema = json.loads(run("-m", "runnable.cli", "schema").stdout)
    assert "database" in schema["$defs"]["task_sql"]["properties"]
    assert "branch" in schema["$defs"]["twice"]["properties"]


def test_a_broken_plugin_does_no_harm(run, installed, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(installed, broken)
    services = broken / "runnable_sql" / "services.py"
    services.write_text("raise RuntimeError('no licence')\n")
    found = subprocess.run(
        [sys.executable, "-m", "runnable.cli", "plugins", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(broken)},
    )
    problems = {it["name"]: it["problem"] for it in json.loads(found.stdout)}
    assert "RuntimeError: no licence" in problems["prefixed"]
    assert "runnable-sql-example" in problems["prefixed"]
    assert problems["sql"] == problems["file-system"] == ""
    Path("c.yaml").write_text("secrets: {type: prefixed, file: secrets.json}\n")
    Path("p.yaml").write_text(
        "dag: {start_at: s, steps: {s: {type: task, command_type: sql, "
        "command: select 1, returns: [x], next: success}}}\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(broken)}
    Path("runnable-config.yaml").unlink()
    for arguments, status in ((["-c", "c.yaml"], 2), ([], 0)):
        finished = subprocess.run(
            [sys.executable, "-m", "runnable.cli", "execute", "p.yaml", *arguments],
            capture_output=True, text=True, check=False, env=environment,
        )  # fmt: skip
        assert finished.returncode == status, finished.stderr
    assert "Traceback" not in finished.stderr
