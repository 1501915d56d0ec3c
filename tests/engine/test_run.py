"""A job is a pipeline of one step, with a log of its own form."""

import pytest

from runnable import PythonJob
from runnable.exceptions import ExecutionFailedError


def execute(function, in_memory, **values):
    job = PythonJob(function=function, returns=["y"])
    return job.execute(parameters=values, services=in_memory)


def test_a_job_has_a_log_and_no_steps(in_memory):
    run_log = execute(lambda x: 2 * x, in_memory, x=21)
    assert (run_log.status, run_log.job.status) == ("SUCCESS", "SUCCESS")
    assert run_log.steps == {}
    assert run_log.dag_hash == ""
    assert run_log.job.attempts[0].output_parameters["y"].value == 42
    assert run_log.parameters["y"].value == 42


def test_a_failing_job_raises(in_memory):
    with pytest.raises(
        ExecutionFailedError, match="the job: ZeroDivisionError"
    ) as caught:
        execute(lambda x: 1 / x, in_memory, x=0)
    assert caught.value.run_log.job.status == "FAIL"
