"""The main job, as `make demo` runs it."""

import importlib.util
import os
import struct
import subprocess
import sys
from pathlib import Path

from runnable import get_run_log

SCRIPT = Path(__file__).parents[2] / "docs/examples/breast_cancer/pipeline.py"


def test_the_script_tracks_everything():
    finished = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True
    )

    lines = finished.stdout.splitlines()
    assert lines[0] == "212 of 569 tumours are malignant"
    run_id, status = lines[1].removeprefix("Run ").split(": ")
    assert status == "SUCCESS"
    for text in (
        "accuracy",
        "roc_auc",
        f".run_log_store/{run_id}.json",
        "roc_curve.png",
    ):
        assert text in finished.stdout

    run_log = get_run_log(run_id)
    metrics = run_log.metrics
    assert metrics["accuracy"] > 0.95
    assert metrics["roc_auc"] > 0.99
    picture = Path(".catalog", run_id, "roc_curve.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", picture[16:24]) == (600, 600)
    model, test_set = (
        run_log.parameters[name].get_value() for name in ("model", "test_set")
    )
    assert model.score(test_set["x"], test_set["y"]) == metrics["accuracy"]


def test_the_functions_work_without_a_pipeline(monkeypatch):
    spec = importlib.util.spec_from_file_location("breast_cancer", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    measurements, malignant, names = module.load()
    assert measurements.shape == (569, len(names))
    train, test = module.split(measurements, malignant, module.Split())
    assert len(train["y"]) + len(test["y"]) == 569
    assert not Path(".catalog").exists()
    assert "RUNNABLE_RUN_ID" not in os.environ


def test_a_wrong_parameter_is_one_clear_error():
    script = (
        f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r})\n"
        "import pipeline\n"
        "pipeline.build().execute(parameters={'how': {'test_share': 'half'}, "
        "'picture': 'roc_curve.png'})\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 1
    last = finished.stderr.strip().splitlines()[-1]
    assert "step 'split': runnable.exceptions.BindingError" in last
    assert "parameter 'how'" in last
    assert "test_share: Input should be a valid number" in last
