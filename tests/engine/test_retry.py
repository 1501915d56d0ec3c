"""Tries, waiting between them, and how long one may take."""

import asyncio
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable import (
    Backoff,
    Catalog,
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonTask,
)
from runnable.engine.retry import seconds_before_retry
from runnable.exceptions import BindingError, SettingsError, StepTimeoutError

WAYS = pytest.mark.parametrize("way", ["execute", "execute_async"])


def run(way, step, in_memory, **parameters):
    pipeline = Pipeline(steps=[step])
    running = getattr(pipeline, way)(services=in_memory, parameters=parameters)
    return running if way == "execute" else asyncio.run(running)


def flaky(fails):
    """Fails some times before it succeeds."""
    calls = []

    def function():
        calls.append(1)
        if len(calls) <= fails:
            raise ConnectionError(f"try {len(calls)}")
        return len(calls)

    return function


@WAYS
def test_each_try_is_an_attempt(way, in_memory):
    step = PythonTask(name="s", function=flaky(2), returns=["n"], retries=3)
    run_log = run(way, step, in_memory)
    assert run_log.parameters["n"].value == 3
    attempts = run_log.steps["s"].attempts
    assert [(it.attempt_number, it.status) for it in attempts] == [
        (1, "FAIL"),
        (2, "FAIL"),
        (3, "SUCCESS"),
    ]
    assert [it.message for it in attempts] == [
        "ConnectionError: try 1",
        "ConnectionError: try 2",
        "",
    ]
    assert run_log.status == run_log.steps["s"].status == "SUCCESS"


@WAYS
def test_tries_come_to_an_end(way, in_memory):
    step = PythonTask(name="s", function=flaky(9), retries=2)
    with pytest.raises(ExecutionFailedError, match="try 3") as caught:
        run(way, step, in_memory)
    assert len(caught.value.run_log.steps["s"].attempts) == 3
    assert caught.value.__cause__.__notes__ == ["in step 's', attempt 3"]


def test_every_attempt_knows_its_number_and_keeps_its_output():
    import os
    from pathlib import Path

    def function():
        number = os.environ["RUNNABLE_STEP_ATTEMPT"]
        print(f"this is attempt {number}")
        if number == "1":
            raise ValueError

    step = PythonTask(name="s", function=function, retries=1)
    run_log = Pipeline(steps=[step]).execute()
    logs = Path(".catalog", run_log.run_id).glob("s???.execution.log")
    texts = sorted(path.read_text() for path in logs)
    assert [text.splitlines()[0] for text in texts] == [
        "this is attempt 1",
        "this is attempt 2",
    ]


def test_hopeless_errors_are_not_tried_again(in_memory):
    def needs(x: int):
        return x

    step = PythonTask(name="s", function=needs, retries=5)
    with pytest.raises(ExecutionFailedError) as caught:
        run("execute", step, in_memory, x="no number")
    assert isinstance(caught.value.__cause__, BindingError)
    assert len(caught.value.run_log.steps["s"].attempts) == 1


@WAYS
def test_it_is_waited_between_tries(way, in_memory):
    step = PythonTask(
        name="s",
        function=flaky(2),
        retries=2,
        retry_delay=Backoff(initial=0.05, factor=2.0),
    )
    run_log = run(way, step, in_memory)
    first, second, third = run_log.steps["s"].attempts
    assert first.end_time < second.start_time < third.start_time
    waited = [
        later.start_time > earlier.end_time
        for earlier, later in ((first, second), (second, third))
    ]
    assert waited == [True, True]
    assert run_log.run_config["dag"]["nodes"]["s"]["retry_delay"]["initial"] == 0.05


@given(
    st.floats(0, 1e6),
    st.floats(1, 10),
    st.floats(0, 1e6),
    st.floats(0, 100),
    st.integers(1, 1000),
)
def test_delays_grow_and_stay_within_their_limits(initial, factor, most, jitter, tries):
    delay = Backoff(initial, factor, most, jitter)
    seconds = seconds_before_retry(delay, tries)
    assert 0 <= seconds <= most + jitter
    calm = delay._replace(jitter=0.0)
    assert seconds_before_retry(calm, tries) <= seconds_before_retry(calm, tries + 1)


@pytest.mark.parametrize(
    "wrong",
    [{"retries": -1}, {"retry_delay": -1}, {"timeout_seconds": 0}, {"retrys": 1}],
)
def test_policies_that_cannot_be(wrong):
    with pytest.raises(SettingsError):
        PythonTask(name="s", function=flaky(0), **wrong)


def test_the_graph_contains_the_policy():
    def described(**policy):
        step = PythonTask(name="s", function=flaky(0), **policy)
        return Pipeline(steps=[step]).return_dag().described["nodes"]["s"]

    assert described()["max_attempts"] == 1
    assert not {"retry_delay", "timeout_seconds"} & described().keys()
    asked = described(retries=2, retry_delay=1.5, timeout_seconds=3)
    assert (asked["max_attempts"], asked["timeout_seconds"]) == (3, 3)


async def sleeps():
    await asyncio.sleep(3600)


def spins():
    while True:
        threading.Event().wait(0.001)


def counts():
    number = 0
    while True:
        number += 1


def waits_for_events():
    while True:
        yield {"type": "tick"}
        time.sleep(0.001)


@WAYS
@pytest.mark.parametrize("function", [sleeps, spins, counts, waits_for_events])
def test_a_slow_call_is_ended(way, function, in_memory):
    """The thread it ran in is free again: it does not go on in the background."""
    before = set(threading.enumerate())
    step = PythonTask(name="s", function=function, timeout_seconds=0.05)
    with pytest.raises(ExecutionFailedError) as caught:
        run(way, step, in_memory)
    error = caught.value.__cause__
    assert isinstance(error, StepTimeoutError)
    assert isinstance(error, TimeoutError)
    assert "longer than timeout_seconds=0.05" in str(caught.value)
    assert caught.value.run_log.steps["s"].status == "FAIL"
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
        assert not thread.is_alive()


@WAYS
def test_a_timeout_may_be_tried_again(way, in_memory):
    tries = []

    def function():
        tries.append(1)
        if len(tries) == 1:
            spins()
        return len(tries)

    step = PythonTask(
        name="s", function=function, returns=["n"], retries=1, timeout_seconds=5
    )
    step.timeout_seconds = 0.1
    run_log = run(way, step, in_memory)
    assert run_log.parameters["n"].value == 2


@WAYS
def test_a_timeout_error_of_the_function_is_its_own(way, in_memory):
    def function():
        raise TimeoutError("of the socket")

    step = PythonTask(name="s", function=function, timeout_seconds=60)
    with pytest.raises(ExecutionFailedError, match="of the socket") as caught:
        run(way, step, in_memory)
    assert type(caught.value.__cause__) is TimeoutError


@WAYS
def test_a_call_in_time_is_not_disturbed(way, in_memory):
    step = PythonTask(name="s", function=flaky(0), returns=["n"], timeout_seconds=60)
    assert run(way, step, in_memory).parameters["n"].value == 1


@pytest.mark.parametrize("parallelism", ["none", "thread", "process"])
def test_policies_hold_in_branches(parallelism, in_memory):
    def function(x):
        import os

        if os.environ["RUNNABLE_STEP_ATTEMPT"] == "1":
            raise ValueError(x)
        return x

    task = PythonTask(name="s", function=function, returns=["y"], retries=1)
    step = Map(
        name="m",
        branch=task.as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        parallelism=parallelism,
    )
    run_log = run("execute", step, in_memory, xs=[1, 2, 3])
    assert run_log.parameters["y"].value == [1, 2, 3]
    assert len(run_log.search_step_by_internal_name("m.2.s")[0].attempts) == 2


@WAYS
def test_a_coroutine_that_ignores_cancellation_times_out(way, in_memory):
    async def stubborn():
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return "on it"

    step = PythonTask(name="s", function=stubborn, returns=["n"], timeout_seconds=0.05)
    with pytest.raises(ExecutionFailedError, match="timeout_seconds"):
        run(way, step, in_memory)


def test_a_long_delay_is_not_cut():
    step = PythonTask(name="s", function=flaky(0), retry_delay=7200.0)
    node = Pipeline(steps=[step]).return_dag().node("s")
    assert seconds_before_retry(node.policy.delay, 1) == 7200.0


@pytest.mark.parametrize("wrong", [{"initial": -1}, {"factor": 0.5}, {"jitter": -1}])
def test_delays_that_cannot_be(wrong):
    with pytest.raises(SettingsError):
        PythonTask(name="s", function=flaky(0), retry_delay=Backoff(**wrong))


@WAYS
def test_time_does_not_run_before_the_call_begins(way, in_memory):
    """Thirty-two by thirty-two branches hold all threads; none is out of time."""
    inner = PythonTask(
        name="s", function=lambda x: x, returns=["y"], timeout_seconds=30
    ).as_pipeline()
    middle = Map(name="m", branch=inner, iterate_on="xs", iterate_as="x")
    outer = Map(name="o", branch=middle.as_pipeline(), iterate_on="ns", iterate_as="n")
    numbers = list(range(32))
    run_log = run(way, outer, in_memory, xs=numbers, ns=numbers)
    assert run_log.parameters["y"].value == [numbers] * 32


async def test_a_task_that_executes_pipelines_gets_its_threads(in_memory):
    """Three hundred at once, each of which needs a thread within a thread."""

    async def answer():
        return 1

    nested = Pipeline(steps=[PythonTask(name="n", function=answer, returns=["n"])])

    def execute(x):
        return nested.execute(services=in_memory).parameters["n"].value + x

    step = Map(
        name="m",
        branch=PythonTask(name="s", function=execute, returns=["y"]).as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        max_workers=300,
    )
    run_log = await Pipeline(steps=[step]).execute_async(
        parameters={"xs": list(range(300))}, services=in_memory
    )
    assert run_log.parameters["y"].value == [x + 1 for x in range(300)]


def test_a_failure_while_putting_files_keeps_earlier_ones():
    tries = []

    def count():
        number = int(Path("n.txt").read_text()) + 1
        Path("n.txt").write_text(str(number))
        tries.append(number)
        if len(tries) > 1:
            Path("report.txt").touch()
        return number

    make = PythonTask(
        name="make",
        function=lambda: Path("n.txt").write_text("1") and None,
        catalog=Catalog(put=["n.txt"]),
    )
    step = PythonTask(
        name="count",
        function=count,
        returns=["n"],
        retries=1,
        catalog=Catalog(get=["n.txt"], put=["n.txt", "report.txt"]),
    )
    run_log = Pipeline(steps=[make, step]).execute(run_id="r1")
    assert run_log.parameters["n"].value == 2
    assert tries == [2, 2]
    assert Path(".catalog/r1/n.txt").read_text() == "2"
    first, second = run_log.steps["count"].attempts
    assert (first.status, second.status) == ("FAIL", "SUCCESS")


def test_leftovers_of_a_failed_step_hide_no_error():
    def leave(error):
        Path("o.txt").symlink_to("/etc/hostname")
        raise error

    for error in (ValueError("mine"), SystemExit(3)):
        step = PythonTask(
            name="s", function=partial(leave, error), catalog=Catalog(put=["*.txt"])
        )
        with pytest.raises(ExecutionFailedError) as failed:
            step.as_pipeline().execute()
        assert failed.value.__cause__ is error
        assert "could not be kept" in "".join(error.__notes__)
        Path("o.txt").unlink()
