"""Each example is the same run, however it is started: with the same run log."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runnable import get_run_log

EXAMPLES = Path(__file__).parents[2] / "docs/examples"
EXAMPLE = {
    "breast_cancer": "pipeline",
    "model_selection": "pipeline",
    "orders": "run",
    "tumour_report": "pipeline",
}
"""The module of each example that executes its pipeline."""
TEST = "import {module}\ndef test_it():\n    {module}.main()\n"
EMULATOR = "pipeline-executor: {type: emulator}\n"
WAYS = {
    "script": [sys.executable, "{module}.py"],
    "module": [sys.executable, "-m", "{module}"],
    "import": [sys.executable, "-c", "import {module}; {module}.main()"],
    "pytest": [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
    "runnable execute": [
        sys.executable,
        "-m",
        "runnable.cli",
        "execute",
        "{module}.py",
    ],
    "reference": [sys.executable, "-m", "runnable.cli", "execute", "{module}:main"],
}
EMULATED = {"orders": ("script", "import", "reference"), "tumour_report": ("script",)}
"""How each is started with the emulator; by a reference, if it is not named."""


def started(example, way, folder, configuration=""):
    """Start an example in a folder of its own; return the log of its run."""
    module = EXAMPLE[example]
    shutil.copytree(EXAMPLES / example, folder)
    (folder / "test_it.py").write_text(TEST.format(module=module))
    (folder / "runnable-config.yaml").write_text(configuration)
    finished = subprocess.run(
        [part.format(module=module) for part in WAYS[way]],
        cwd=folder,
        env={**os.environ, "RUNNABLE_RUN_ID": "r1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    services = {
        "run_log_store": {
            "type": "file-system",
            "config": {"log_folder": str(folder / ".run_log_store")},
        }
    }
    return get_run_log("r1", services=services)


def compared(run_log):
    """Return what must be equal: what ran, with which values, and which files."""
    return {
        "status": run_log.status,
        "parameters": _values(run_log.parameters),
        "steps": {
            step.internal_name: (
                step.status,
                step.step_type,
                [
                    (_values(it.input_parameters), _values(it.output_parameters))
                    for it in step.attempts
                ],
                sorted(
                    (it.stage, it.name) for it in step.data_catalog if not _is_log(it)
                ),
            )
            for step in run_log.all_steps()
        },
    }


def _values(parameters):
    return {
        name: it.value if it.kind != "object" else it.kind
        for name, it in parameters.items()
    }


def _is_log(file):
    return file.name.endswith(".execution.log")


@pytest.mark.parametrize("example", EXAMPLE)
def test_the_run_log_is_the_same(example, tmp_path):
    expected = compared(started(example, "script", tmp_path / "first"))
    assert expected["status"] == "SUCCESS"
    # The others take seconds: they are started in the most unlike ways.
    for way in WAYS if example == "orders" else ("pytest",):
        assert compared(started(example, way, tmp_path / way)) == expected, way
    for way in EMULATED.get(example, ("reference",)):
        folder = tmp_path / f"{way} by the emulator"
        run_log = started(example, way, folder, EMULATOR)
        assert run_log.run_config["pipeline_executor"]["service_name"] == "emulator"
        assert compared(run_log) == expected, f"{way} by the emulator"
