"""Steps that a launcher starts: their records, or the reason that it reports."""

from pathlib import Path

import pytest
from command_line import runnable

from runnable import ExecutionFailedError, get_run_log, load_pipeline
from runnable.engine.launching import job_digest
from runnable.executor import BasePipelineExecutor, ExecutionOptions, StepReport
from runnable.graph import CatalogSettings, JobNode
from runnable.tasks.python import PythonTaskType

PIPELINE = """
dag:
  start_at: a
  steps:
    a: {type: task, command: steps.a, returns: [x], next: b}
    b: {type: task, command: steps.b, returns: [y], next: success, max_attempts: 2}
"""


class Launched:
    """A step that is run by its command, or not at all."""

    def __init__(self, launcher, request):
        self.launcher, self.request = launcher, request

    def wait(self):
        if self.launcher.loses == self.request.path:
            return StepReport(False, "its machine has gone")
        request = self.request
        finished = runnable(
            "execute-single-node",
            request.run_id,
            request.reference.definition,
            request.path,
        )
        return StepReport(finished.returncode == 0, "its process has ended")

    def stop(self):
        pass


class Launcher:
    def __init__(self):
        self.loses, self.requests = "", []
        self.is_closed = False

    def launch(self, request):
        self.requests.append(request)
        return Launched(self, request)

    def close(self):
        self.is_closed = True


class Elsewhere(BasePipelineExecutor):
    """An executor of a user's own: an object that is asked to start steps."""

    launcher: object = None

    @property
    def options(self):
        return ExecutionOptions(launcher=self.launcher)


@pytest.fixture
def launcher(monkeypatch):
    monkeypatch.syspath_prepend(Path.cwd())
    Path("steps.py").write_text("def a(): return 1\ndef b(x): return x + 1\n")
    Path("p.yaml").write_text(PIPELINE)
    return Launcher()


def execute(launcher):
    services = {"pipeline_executor": Elsewhere(launcher=launcher)}
    return load_pipeline("p.yaml").execute(run_id="r1", services=services)


def test_outputs_of_launched_steps_reach_later_steps_and_the_run_log(launcher):
    run_log = execute(launcher)
    assert {name: it.value for name, it in run_log.parameters.items()} == {
        "x": 1,
        "y": 2,
    }
    assert [request.path for request in launcher.requests] == ["a", "b"]
    assert launcher.requests[0].reference.mode == "yaml"
    assert get_run_log("r1").model_dump() == run_log.model_dump()


def test_a_step_that_records_no_end_fails_for_the_reason_of_its_launcher(launcher):
    launcher.loses = "a"
    with pytest.raises(ExecutionFailedError, match="its machine has gone"):
        execute(launcher)
    (attempt,) = get_run_log("r1").steps["a"].attempts
    assert attempt.status == "FAIL"
    assert attempt.message == "its machine has gone, and has recorded no end"


def test_a_digest_distinguishes_jobs_of_one_program():
    def digest(command, put=()):
        task = PythonTaskType(command=command)
        catalog = CatalogSettings(put=put)
        return job_digest(JobNode(name="job", next_node="", task=task, catalog=catalog))

    digests = {
        digest("math.sqrt"),
        digest("math.sin"),
        digest("math.sqrt", put=("*.csv",)),
    }
    assert len(digests) == 3
    assert digest("math.sqrt") in digests
