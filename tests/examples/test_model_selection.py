"""Candidates in parallel branches, as the script runs them."""

import subprocess
import sys
from pathlib import Path

from runnable import get_run_log

SCRIPT = Path(__file__).parents[2] / "docs/examples/model_selection/pipeline.py"


def test_the_best_candidate_is_kept():
    finished = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True
    )
    assert finished.stdout.count("(from 0.") == 4
    assert "judge.models.candidates" in finished.stdout
    assert "4 branches" in finished.stdout
    assert "The model is LogisticRegression" in finished.stdout
    (file,) = Path(".run_log_store").glob("*.json")
    run_log = get_run_log(file.stem)
    assert run_log.status == "SUCCESS"
    assert run_log.metrics["best accuracy"] > 0.97
    assert len(run_log.parameters["accuracy"].value) == 4
    assert list(run_log.steps["decide"].branches) == ["decide.good"]
    assert run_log.parameters["model"].get_value().predict([[0.0] * 30]).shape == (1,)
