"""The one task of a job goes through the body of a step, too."""

import pytest

from runnable.context import JobContext, RunScope
from runnable.engine import InlineRuntime, json_parameters, run_by_hand
from runnable.exceptions import ExecutionFailedError
from runnable.executor.local_job import LocalJobExecutor
from runnable.graph import CatalogSettings
from runnable.tasks import PythonTaskType


def submit(function, **values):
    context = JobContext(
        run_id="j1", run_log_store={"type": "memory"}, catalog={"type": "do-nothing"}
    )
    task = PythonTaskType(function=function, returns=["y"])
    with RunScope(context):
        return run_by_hand(
            LocalJobExecutor().submit_job(
                task, CatalogSettings(), json_parameters(values), InlineRuntime()
            )
        )


def test_a_job_has_a_log_and_no_steps():
    run_log = submit(lambda x: 2 * x, x=21)
    assert (run_log.status, run_log.job.status) == ("SUCCESS", "SUCCESS")
    assert run_log.steps == {}
    assert run_log.dag_hash == ""
    assert run_log.job.attempts[0].output_parameters["y"].value == 42
    assert run_log.parameters["y"].value == 42


def test_a_failing_job_raises():
    with pytest.raises(
        ExecutionFailedError, match="the job: ZeroDivisionError"
    ) as caught:
        submit(lambda x: 1 / x, x=0)
    assert caught.value.run_log.job.status == "FAIL"
