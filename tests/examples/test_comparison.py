"""The same pipeline in other libraries does the same, where they are installed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = ROOT / "docs" / "examples" / "comparison"
PEERS = ROOT / "build" / "peers"
PACKAGES = {
    "airflow": "apache-airflow",
    "dagster": "dagster",
    "hamilton": "sf-hamilton",
    "kedro": "kedro",
    "luigi": "luigi",
    "metaflow": "metaflow",
    "prefect": "prefect",
}


def run(command, folder, **variables):
    """Run a program among the files of the comparison; return what it prints."""
    home = {"HOME": str(folder), "USER": "somebody", **variables}
    done = subprocess.run(
        [str(it) for it in command],
        cwd=folder,
        env={**os.environ, **home},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def folder(tmp_path):
    """Return a copy of the files."""
    return Path(shutil.copytree(HERE, tmp_path / "comparison"))


def test_here(folder):
    assert "total 58.5" in run([sys.executable, "with_runnable.py"], folder)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(PACKAGES))
def test_elsewhere(name, folder):
    place = PEERS / PACKAGES[name]
    if not (place / ".ready").exists():
        pytest.skip(f"{PACKAGES[name]} is not installed; see .ci/peers")
    command, variables = [place / "bin" / "python", f"with_{name}.py"], {}
    if name == "metaflow":
        command.append("run")
    if name == "airflow":
        variables = {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        for argument in ("db migrate", "dags reserialize"):
            run([place / "bin" / "airflow", *argument.split()], folder, **variables)
    assert "total 58.5" in run(command, folder, **variables)
