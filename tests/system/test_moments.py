"""Times: stored with their offset, compared as moments, shown in local time."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable import PythonTask, list_runs
from runnable.datastore.memory import MemoryRunLogStore
from runnable.report import as_text, timeline
from runnable.scope.clock import clock_of
from runnable.system.moments import aware, local_text, moment_of, text_of

END_OF_SUMMER_TIME = datetime(2026, 10, 25, 1, 0, tzinfo=UTC).timestamp()


@pytest.fixture(params=["Europe/Berlin", "Asia/Tokyo", "America/St_Johns", "UTC"])
def zone(request, monkeypatch):
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


@given(st.integers(0, 4_000_000_000_000_000))
def test_a_moment_survives_as_text(microseconds):
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    text = text_of(moment.timestamp())
    assert abs(moment_of(text) - moment) <= timedelta(microseconds=1)
    assert text.endswith("+00:00")


@given(st.lists(st.floats(0, 4e9), min_size=2))
def test_the_order_of_texts_is_that_of_moments(seconds):
    texts = [text_of(it) for it in seconds]
    assert sorted(texts) == sorted(texts, key=moment_of)


def test_a_moment_without_offset_is_local_time(zone):
    text = "2026-03-01 12:00:00.250000"
    assert local_text(text) == "2026-03-01 12:00:00"
    assert aware(datetime(2026, 3, 1, 12)).utcoffset() is not None
    shown = local_text(moment_of(text).astimezone(UTC).isoformat())
    assert shown == "2026-03-01 12:00:00"


def run_at(start, *, lasts, store, run_id="r1"):
    times = iter([start] * 2 + [start + lasts] * 100)
    with clock_of(lambda: next(times)):
        task = PythonTask(name="t", function=lambda: None)
        services = {"run_log_store": store, "catalog": {"type": "do-nothing"}}
        return task.as_pipeline().execute(run_id=run_id, services=services)


def test_a_run_across_the_end_of_summer_time(zone):
    run_log = run_at(END_OF_SUMMER_TIME - 4, lasts=8, store=MemoryRunLogStore())
    (attempt,) = run_log.steps["t"].attempts
    drawn = timeline(run_log)
    assert 0 <= attempt.duration.total_seconds() <= 8
    assert 0 <= drawn.seconds <= 8
    assert all(bar.starts >= 0 and bar.seconds >= 0 for bar in drawn.bars)
    assert " -" not in as_text(drawn)


def test_runs_are_listed_by_moment_whatever_the_zone(monkeypatch):
    store = MemoryRunLogStore()
    moments = {"r1": 1_790_000_000.0, "r2": 1_790_000_060.0, "r3": 1_790_000_120.0}
    zones = {"r1": "Asia/Tokyo", "r2": "UTC", "r3": "America/St_Johns"}
    for run_id, zone in zones.items():
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        run_at(moments[run_id], lasts=1, store=store, run_id=run_id)
    services = {"run_log_store": store}
    assert [run.run_id for run in list_runs(services=services)] == ["r3", "r2", "r1"]
    second = datetime.fromtimestamp(moments["r2"])
    for since in (second, second.astimezone(), second.astimezone(UTC)):
        found = list_runs(services=services, since=since)
        assert [run.run_id for run in found] == ["r3", "r2"]
        found = list_runs(services=services, until=since)
        assert [run.run_id for run in found] == ["r2", "r1"]
    monkeypatch.undo()
    time.tzset()


SCRIPT = """
import sys
from runnable import Pipeline, PythonTask, ExecutionFailedError
from runnable.report import timeline

def wait():
    import os, time
    time.sleep(0.01)
    if os.environ.get("FAILS"):
        raise ValueError("not yet")

pipeline = Pipeline(steps=[PythonTask(name=n, function=wait) for n in ("a", "b")])
try:
    run_log = pipeline.execute(**eval(sys.argv[1]))
except ExecutionFailedError as failure:
    run_log = failure.run_log
drawn = timeline(run_log)
assert 0 <= drawn.seconds < 60, drawn
assert all(0 <= bar.starts < 60 and 0 <= bar.seconds < 60 for bar in drawn.bars)
print(run_log.status)
"""


def test_a_run_begun_in_one_zone_and_resumed_in_another(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def run(how, **environment):
        return subprocess.run(
            [sys.executable, str(script), repr(how)],
            env={**os.environ, **environment},
            cwd=tmp_path,
            text=True,
            capture_output=True,
            check=True,
        ).stdout.strip()

    assert run({"run_id": "r1"}, TZ="Asia/Tokyo", FAILS="yes") == "FAIL"
    assert run({"resume": "r1"}, TZ="UTC") == "SUCCESS"


def test_a_clock_that_is_set_back_changes_no_duration(monkeypatch, in_memory):
    real = time.time

    def set_back():
        monkeypatch.setattr(time, "time", lambda: real() - 86_400)
        time.sleep(0.02)

    run_log = (
        PythonTask(name="t", function=set_back)
        .as_pipeline()
        .execute(services=in_memory)
    )
    (attempt,) = run_log.steps["t"].attempts
    assert 0.02 <= attempt.duration.total_seconds() < 60
