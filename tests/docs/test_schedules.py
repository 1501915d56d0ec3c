"""What is started at night by others is what the documentation says."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runnable import list_runs

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "schedules.md"
FLOW = """
from runnable import PythonTask

def build():
    return PythonTask(name="s", function=lambda: 1, returns=["x"]).as_pipeline()

if __name__ == "__main__":
    build().execute()
"""


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The project of the page; returns what puts its place into a text."""
    monkeypatch.chdir(tmp_path)
    Path("flow.py").write_text(FLOW)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    command = tmp_path / ".venv" / "bin" / "runnable"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m runnable.cli "$@"\n')
    command.chmod(0o755)
    return lambda text: text.replace("/srv/daily", str(tmp_path))


def started_by(command, environment):
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (run,) = list_runs()
    assert run.status == "SUCCESS"
    return run


@pytest.mark.skipif(not shutil.which("flock"), reason="there is no flock")
def test_cron(project):
    (text,) = blocks("text")
    path, line = project(text).strip().splitlines()
    schedule, command = line.split(maxsplit=5)[:5], line.split(maxsplit=5)[5]
    assert schedule == ["0", "3", "*", "*", "*"]
    name, value = path.split("=")
    run = started_by(command, {name: value, "HOME": "/"})
    assert run.tags == {"trigger": "cron"}


def test_the_service_of_systemd(project):
    service = next(it for it in blocks("ini") if "[Service]" in it)
    command = re.search(r"^ExecStart=(.*)$", project(service), re.MULTILINE)[1]
    folder = re.search(r"^WorkingDirectory=(.*)$", project(service), re.MULTILINE)[1]
    run = started_by(f"cd {folder} && {command}", {"PATH": "/usr/bin:/bin"})
    assert run.tags == {"trigger": "systemd"}


@pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="there is no systemd-analyze"
)
def test_systemd_understands_both_units(project):
    names = {"[Service]": "daily.service", "[Timer]": "daily.timer"}
    for text in blocks("ini"):
        (name,) = (file for section, file in names.items() if section in text)
        Path(name).write_text(project(text))
    done = subprocess.run(
        ["systemd-analyze", "verify", "./daily.service", "./daily.timer"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    ours = [it for it in done.stderr.splitlines() if "daily." in it]
    assert ours == []
    when = subprocess.run(
        ["systemd-analyze", "calendar", "*-*-* 03:00:00"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "03:00:00" in when.stdout
