"""The executor that the documentation shows how to write."""

import os
import sys
from pathlib import Path

import pytest

from runnable import ExecutionFailedError

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "executors.md"

FLOW = """
import os
from runnable import Pipeline, PythonTask

def work(x):
    if x < 0:
        raise ValueError("x is negative")
    return os.nice(0)

def build():
    task = PythonTask(name="s", function=work, returns=["nice"])
    return Pipeline(steps=[task], reference="prefixed_flow:build")
"""


@pytest.fixture
def sample():
    blocks = [it.partition("```")[0] for it in PAGE.read_text().split("```python\n")]
    (code,) = [it for it in blocks if "class PrefixExecutor" in it]
    assert len(code.splitlines()) < 100
    names = {}
    exec(code, names)
    return names["PrefixExecutor"]


@pytest.fixture
def pipeline(tmp_path, monkeypatch):
    (tmp_path / "prefixed_flow.py").write_text(FLOW)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)
    import prefixed_flow

    yield prefixed_flow.build()
    del sys.modules["prefixed_flow"]


def test_it_runs_steps_through_its_prefix(sample, pipeline):
    executor = sample(prefix=["nice", "-n", "7"])
    log = pipeline.execute(
        parameters={"x": 1}, services={"pipeline_executor": executor}
    )
    assert log.parameters["nice"].value == os.nice(0) + 7


def test_a_failing_step_fails_the_run(sample, pipeline):
    with pytest.raises(ExecutionFailedError) as caught:
        pipeline.execute(parameters={"x": -1}, services={"pipeline_executor": sample()})
    assert "x is negative" in caught.value.run_log.steps["s"].attempts[0].message
