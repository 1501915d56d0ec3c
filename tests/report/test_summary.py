"""The summary that people read after a run."""

import re
from pathlib import Path

import pytest

from runnable import (
    Catalog,
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonTask,
    Stub,
    metric,
    pickled,
    summarise,
)
from runnable.datastore import RunLog, StepAttempt, StepLog


def test_the_summary_has_the_outcome_and_the_locations():
    def work():
        Path("picture.png").write_bytes(b"x")
        return 0.98765, [1]

    step = PythonTask(
        name="work",
        function=work,
        returns=[metric("accuracy"), pickled("model")],
        catalog=Catalog(put=["picture.png"]),
    )
    text = summarise(Pipeline(steps=[step]).execute(run_id="r1"))

    assert text.startswith("Run r1: SUCCESS\nSteps:\n  work  SUCCESS ")
    assert "Metrics:\n  accuracy  0.9877\n" in text
    assert "  picture.png  r1/picture.png\n" in text
    assert "  model        r1/_objects/work/model-" in text
    assert "  run log  .run_log_store/r1.json\n" in text
    assert text.endswith("  catalog  .catalog/r1/")


def test_the_summary_of_a_failed_run_has_the_reason(in_memory):
    def fail():
        raise ValueError("no rows")

    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=[PythonTask(name="load", function=fail)]).execute(
            services=in_memory
        )
    text = summarise(caught.value.run_log)
    assert text.splitlines()[0].endswith(": FAIL")
    title, cause, place = text.splitlines()[1:4]
    assert (title, cause) == ("Failed:", "  load: ValueError: no rows")
    assert re.fullmatch(r"    at .*test_summary\.py:\d+ in fail", place)
    assert text.endswith(f"Resume it:\n  runnable retry {caught.value.run_id}")


def test_of_many_branches_those_that_failed_are_listed(in_memory):
    def check(x):
        if x == 70:
            raise ValueError("[red]odd\x1b[1m\nsecond line")

    branch = PythonTask(name="s", function=check).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=[step]).execute(
            parameters={"xs": list(range(1000))}, services=in_memory
        )
    lines = summarise(caught.value.run_log).splitlines()
    assert lines[2:4] == ["  m.70.s: ValueError: [red]odd\x1b[1m", "    second line"]
    assert "  m       FAIL             1,000 branches, 1 FAIL" in lines
    assert "  m.*     998 more branches" in lines
    assert len(lines) < 25


def test_tries_and_branches_are_counted_and_long_lists_are_cut(in_memory):
    tries = []

    def flaky(x):
        tries.append(x)
        if len(tries) == 1:
            raise ValueError("not yet")

    branch = PythonTask(name="s", function=flaky, retries=1).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x", max_workers=1)
    run_log = Pipeline(steps=[step]).execute(
        parameters={"xs": list(range(100))}, services=in_memory
    )
    lines = summarise(run_log).splitlines()
    assert "100 branches" in lines[2]
    long = Pipeline(steps=[Stub(name=f"s{n}") for n in range(70)])
    lines = summarise(long.execute(services=in_memory)).splitlines()
    assert sum("more than 60 steps; see the run log" in line for line in lines) == 1
    assert len(lines) < 70
    assert not [line for line in lines if "success" in line]


def test_a_step_that_is_active_shows_since_when():
    attempt = StepAttempt(
        attempt_number=1, start_time="2026-01-31 10:00:00.000000", status="PROCESSING"
    )
    step = StepLog(
        name="s",
        internal_name="s",
        step_type="task",
        status="PROCESSING",
        attempts=[attempt],
    )
    text = summarise(RunLog(run_id="r1", status="PROCESSING", steps={"s": step}))
    assert "since 2026-01-31 10:00:00" in text
    assert "0.00 s" not in text
