"""The pipeline in YAML, from the command line and from Python."""

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from command_line import runnable

from runnable.sdk.yaml_schema import pipeline_schema

EXAMPLE = Path(__file__).parents[2] / "docs/examples/orders"


def test_from_the_command_line():
    finished = runnable(
        *("execute", str(EXAMPLE / "pipeline.yaml"), "r1"),
        *("-p", str(EXAMPLE / "parameters.yaml"), "--json"),
    )
    assert finished.returncode == 0, finished.stderr
    said = json.loads(finished.stdout)
    assert said["metrics"] == {"rows": 12}
    assert said["parameters"]["lines"] == 13
    assert said["parameters"]["winner"] == "north"
    assert [it["amount"] for it in said["parameters"]["totals"]] == [75.0] * 3
    assert "12 orders" in finished.stderr
    assert Path(".catalog/r1/orders.csv").exists()


def test_its_failure_path():
    Path("p.yaml").write_text("regions: []\n")
    finished = runnable("execute", str(EXAMPLE / "pipeline.yaml"), "-p", "p.yaml")
    assert finished.returncode == 1
    assert "nobody has sold anything" in finished.stdout
    assert re.search(r"\n  best +FAIL .* 2 attempts", finished.stdout)


def test_from_python():
    finished = subprocess.run(
        [sys.executable, str(EXAMPLE / "run.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.endswith("best: north\n")


def test_checked_and_valid_by_the_schema():
    checked = runnable(
        *("check", str(EXAMPLE / "pipeline.yaml")),
        *("-p", str(EXAMPLE / "parameters.yaml")),
    )
    assert checked.returncode == 0, checked.stderr
    assert "sums  map of regions as region" in checked.stdout
    content = yaml.safe_load((EXAMPLE / "pipeline.yaml").read_text())
    jsonschema.validate(content, pipeline_schema())


@pytest.mark.parametrize("name", ["breast_cancer", "model_selection", "tumour_report"])
def test_scripts_from_the_command_line(name):
    script = EXAMPLE.parent / name / "pipeline.py"
    checked = runnable("check", str(script))
    assert checked.returncode == 0, checked.stderr
    finished = runnable("execute", str(script), "r1", "--json")
    assert finished.returncode == 0, finished.stderr
    said = json.loads(finished.stdout)
    assert (said["run_id"], said["status"]) == ("r1", "SUCCESS")
    assert said["metrics"]
