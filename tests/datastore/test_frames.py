"""Runs and steps as tables of pandas."""

import sys

import pytest

from runnable import (
    Map,
    Pipeline,
    PythonTask,
    get_run_log,
    list_runs,
    metric,
    runs_to_frame,
)
from runnable.exceptions import ConfigurationError


def score(x):
    return x / 4


def executed(run_id, values):
    task = PythonTask(name="s", function=score, returns=[metric("auc")])
    step = Map(name="m", branch=task.as_pipeline(), iterate_on="xs", iterate_as="x")
    Pipeline(steps=[step], name="daily").execute(
        run_id=run_id, tag="t", parameters={"xs": values}
    )


def test_a_row_for_each_attempt():
    executed("r1", [1, 2])
    frame = get_run_log("r1").to_frame()
    rows = frame[frame.step.str.endswith(".s")]
    assert list(rows["metrics.auc"]) == [0.25, 0.5]
    assert set(rows.status) == {"SUCCESS"}
    assert (rows.seconds >= 0).all()
    assert str(frame.started.dt.tz) == "UTC"


def test_a_row_for_each_run_with_its_metrics():
    executed("r1", [1])
    executed("r2", [2])
    frame = runs_to_frame(list_runs(pipeline="daily")).set_index("run_id")
    assert list(frame.loc[["r1", "r2"], "tag"]) == ["t", "t"]
    # The value of the map is the list of those of its branches.
    assert "metrics.auc" in frame or list(frame.columns)[:2] == ["status", "pipeline"]


def test_short_metrics_are_in_lists():
    task = PythonTask(name="s", function=score, returns=[metric("auc")])
    Pipeline(steps=[task]).execute(run_id="r1", parameters={"x": 2})
    (run,) = list_runs()
    assert run.metrics == {"auc": 0.5}
    assert runs_to_frame([run]).loc[0, "metrics.auc"] == 0.5


def test_nothing_makes_an_empty_table():
    assert runs_to_frame([]).empty


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'runnable\[pandas\]'"):
        runs_to_frame([])
