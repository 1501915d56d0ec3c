"""Runs that use the same files at once are warned of."""

import threading

import pytest

from runnable import Catalog, Parallel, Pipeline, PythonTask, Stub, workdir
from runnable.events import Warned, listening


def overlapping(first, second, services=None):
    """Execute a pipeline while another one is active; return the second one's warnings."""
    begun, end, seen = threading.Event(), threading.Event(), []

    def hold():
        begun.set()
        end.wait(30)

    holding = Pipeline(steps=[PythonTask(name="hold", function=hold), *first])
    thread = threading.Thread(
        target=lambda: holding.execute(run_id="first", services=services)
    )
    thread.start()
    assert begun.wait(30)
    try:
        with listening(seen.append):
            Pipeline(steps=second).execute(run_id="second", services=services)
    finally:
        end.set()
        thread.join()
    return [it.text for it in seen if isinstance(it, Warned)]


def write():
    for name in ("report.txt", "other.txt"):
        (workdir() / name).write_text("text")


def put(*names, **settings):
    catalog = Catalog(put=list(names))
    return PythonTask(name="put", function=write, catalog=catalog, **settings)


REPORT = put("report.txt")


def test_the_same_file_is_warned_of(caplog):
    (text,) = overlapping([REPORT], [REPORT])
    assert "get or put 'report.txt' in " in text
    assert "run first, which is active" in text
    assert "workspace: run" in text
    assert "Run 'second': its steps get or put 'report.txt'" in caplog.text


def test_also_in_branches_and_by_patterns():
    branch = Parallel(name="p", branches={"a": REPORT.as_pipeline()})
    assert overlapping([put("*.txt")], [branch])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (REPORT, put("other.txt")),
        (REPORT, put("report.txt", workspace="run")),
        (put("report.txt", workspace="run"), REPORT),
        (REPORT, put("report.txt", workspace="isolated")),
        (REPORT, Stub(name="s")),
    ],
)
def test_others_are_not(first, second):
    assert not overlapping([first], [second])


def test_a_nested_run_uses_the_files_of_its_step(caplog):
    step = PythonTask(
        name="outer", function=lambda: REPORT.as_pipeline().execute() and 0
    )
    Pipeline(steps=[step, REPORT]).execute()
    assert "which is active" not in caplog.text


def test_by_the_executor_s_choice_none():
    services = {"pipeline_executor": {"type": "local", "config": {"workspace": "run"}}}
    assert not overlapping([REPORT], [REPORT], services)


def test_runs_one_after_the_other_are_not_warned_of(caplog):
    for _ in range(3):
        REPORT.as_pipeline().execute()
    assert not caplog.text
