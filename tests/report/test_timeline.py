"""Timelines: attempts, branches, pauses, what failed, and what is in a page."""

import contextlib
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable import (
    Catalog,
    ExecutionFailedError,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    get_run_log,
)
from runnable.report import as_page, as_text, timeline
from runnable.report.time_scale import TimeScale, duration_text

stretches = st.lists(
    st.tuples(st.floats(0, 1e6), st.floats(0, 1e3)).map(lambda it: (it[0], sum(it))),
    max_size=12,
)


@given(stretches)
def test_the_scale_keeps_the_order_of_moments(busy):
    scale = TimeScale(busy)
    moments = sorted(moment for pair in busy for moment in pair)
    places = [scale.left(moment) for moment in moments]
    assert all(0 <= it <= 1.000001 for it in places)
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(places))


@given(stretches)
def test_marks_are_apart_and_stand_where_they_say(busy):
    marks = TimeScale(busy).marks()
    assert all(b.left - a.left >= 0.07 for a, b in itertools.pairwise(marks))
    assert all(0 <= mark.left <= 1.000001 for mark in marks)


def test_a_long_pause_takes_little_room():
    scale = TimeScale([(0, 1), (39, 40)])
    (pause,) = scale.pauses
    assert (pause.starts, pause.ends) == (1, 39)
    assert pause.width < 0.1
    assert scale.left(1) == pytest.approx(1 - scale.left(39))


@given(st.floats(0, 1e6))
def test_durations_are_short_and_never_nothing(seconds):
    text = duration_text(seconds)
    assert len(text) <= 12
    assert seconds < 0.00005 or not text.startswith(("0 ", "0.0 "))


def work(x):
    print(f"working on \x1b[31m{x}\x1b[0m <b>")
    if x == 3:
        raise ValueError("no <i>convergence</i>")
    return x


def mapped(count):
    task = PythonTask(name="fit", function=work, returns=["y"])
    return Map(name="each", branch=task.as_pipeline(), iterate_on="xs", iterate_as="x")


def executed(pipeline, **more):
    with contextlib.suppress(ExecutionFailedError):
        pipeline.execute(run_id="r1", **more)
    return get_run_log("r1")


def test_many_branches_are_counted_and_the_failed_ones_shown():
    pipeline = Pipeline(steps=[mapped(100)], name="daily")
    drawn = timeline(executed(pipeline, parameters={"xs": list(range(100))}))
    names = [bar.name for bar in drawn.bars]
    assert names[:2] == ["each", "3: fit"]
    assert names[-1] == "96 more: 96 SUCCESS"
    assert len(names) == 6
    assert dict(drawn.statuses) == {"SUCCESS": 99, "FAIL": 1}
    page = as_page(drawn)
    assert "99 of 100" in page
    assert page.index("What failed") < page.index("no &lt;i&gt;convergence")
    assert page.count("<i>") == 0
    assert "daily" in page


def test_branches_are_told_apart():
    branch = PythonTask(name="fit", function=print)
    longer = Pipeline(steps=[branch, PythonTask(name="check", function=print)])
    step = Parallel(name="p", branches={"a": branch.as_pipeline(), "b": longer})
    drawn = timeline(executed(step.as_pipeline()))
    assert [(bar.name, bar.depth) for bar in drawn.bars] == [
        *(("p", 0), ("a: fit", 1), ("b", 1), ("fit", 2), ("check", 2))
    ]


def test_each_attempt_has_its_bar_and_waiting_is_not_work(tmp_path):
    def flaky(folder):
        flag = Path(folder, "flag")
        if not flag.exists():
            flag.touch()
            raise OSError("not yet")

    task = PythonTask(name="s", function=flaky, retries=1, retry_delay=0.2)
    run_log = executed(Pipeline(steps=[task]), parameters={"folder": str(tmp_path)})
    (bar,) = timeline(run_log).bars
    assert [span.status for span in bar.spans] == ["FAIL", "SUCCESS"]
    assert bar.worked < 0.2 <= bar.seconds
    assert "2 attempts" in as_text(timeline(run_log))


def test_a_page_has_logs_and_pictures_and_shows_codes_as_text():
    def plot():
        print("plotted \x1b[1m\u202e")
        Path("curve.png").write_bytes(b"\x89PNG")

    task = PythonTask(name="s", function=plot, catalog=Catalog(put=["*.png"]))
    page = as_page(timeline(executed(Pipeline(steps=[task]))))
    assert "plotted \\x1b[1m\\u202e" in page
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg" class="rn-chart"') == 1
    assert 'src="data:image/png;base64,iVBORw=="' in page
    assert "\x1b" not in page


def test_what_is_too_large_is_left_out():
    def plot():
        Path("big.png").write_bytes(bytes(600_000))
        print("x" * 50_000)

    task = PythonTask(name="s", function=plot, catalog=Catalog(put=["*.png"]))
    page = as_page(timeline(executed(Pipeline(steps=[task]))))
    assert len(page) < 60_000
    assert "1 logs or pictures are left out" in page
    assert "30,001 characters before this" in page
