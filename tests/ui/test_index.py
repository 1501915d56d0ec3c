"""Search, filters and order of runs."""

import time
from datetime import date
from pathlib import Path

import pytest

from runnable import Pipeline, PythonTask, metric
from runnable.exceptions import ExecutionFailedError
from runnable.ui.index import Query, QueryError
from runnable.ui.library import Library


def score(x: float) -> float:
    if x < 0:
        raise ValueError("negative")
    return x


def run(name, x, tag=""):
    step = PythonTask(name="s", function=score, returns=[metric("score")])
    try:
        return Pipeline(name=name, steps=[step]).execute(
            run_id=f"{name}-{x}", tag=tag, parameters={"x": x}
        )
    except Exception:
        return None


@pytest.fixture
def library():
    for x in (0.5, 0.25, 0.75, -1):
        run("a", x, tag="100%_sure")
    run("b", 9, tag="other")
    return Library.opened("", None, None)


def found(library, **query):
    return [it.run_id for it in library.index.find(Query(**query)).runs]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["b-9", "a--1", "a-0.75", "a-0.25", "a-0.5"]),
        ({"status": "FAIL"}, ["a--1"]),
        ({"pipeline": "b"}, ["b-9"]),
        ({"tag": "other"}, ["b-9"]),
        ({"text": "0.2"}, ["a-0.25"]),
        ({"text": "100%_"}, ["a--1", "a-0.75", "a-0.25", "a-0.5"]),
        ({"text": "1000"}, []),
        ({"metric": "score>=0.5"}, ["b-9", "a-0.75", "a-0.5"]),
        ({"metric": " score = .25 "}, ["a-0.25"]),
        ({"metric": "score"}, ["b-9", "a-0.75", "a-0.25", "a-0.5"]),
        ({"metric": "nothing < 1"}, []),
        ({"since": "2000-01-01", "text": "b-"}, ["b-9"]),
        ({"until": "2000-01-01"}, []),
        ({"until": str(date.today()), "text": "b-"}, ["b-9"]),
        ({"sort": "run_id", "is_ascending": True, "limit": 2}, ["a--1", "a-0.25"]),
        ({"sort": "metric:score"}, ["b-9", "a-0.75", "a-0.5", "a-0.25", "a--1"]),
        ({"offset": 3, "limit": 1}, ["a-0.25"]),
    ],
)
def test_queries(library, query, expected):
    assert found(library, **query) == expected


@pytest.mark.parametrize(
    "query",
    [
        {"sort": "1; DROP TABLE runs"},
        {"metric": 'a" > 1'},
        {"metric": "score > 1.2.3"},
        {"since": "yesterday"},
    ],
)
def test_a_query_that_cannot_be_understood_is_an_error(library, query):
    with pytest.raises(QueryError):
        found(library, **query)


def test_what_happens_meanwhile_is_found(library):
    assert len(found(library)) == 5
    library.delete(["b-9"])
    run("c", 1)
    library.index._updated = 0.0
    assert found(library)[0] == "c-1"
    assert "b-9" not in found(library)


def mending():
    if not Path("mended").exists():
        raise ValueError("not yet")


def test_a_run_that_was_resumed_elsewhere_is_counted_again():
    pipeline = PythonTask(name="s", function=mending).as_pipeline()
    with pytest.raises(ExecutionFailedError):
        pipeline.execute(run_id="r1")
    library = Library.opened("", None, None)
    assert found(library)
    assert library.index.pipelines()[0].failed == 1
    Path("mended").touch()
    pipeline.execute(resume="r1")
    end = time.monotonic() + 30
    while library.index.pipelines()[0].failed:
        assert time.monotonic() < end
        library.index._updated = 0.0
    assert found(library, status="SUCCESS") == ["r1"]


def test_pipelines_are_summed_up(library):
    library.index.find(Query())
    rows = {it.name: it for it in library.index.pipelines()}
    assert rows["a"][:4] == ("a", 4, 3, 1)
    assert rows["a"].success_rate == 0.75


def test_a_store_that_fails_is_reported_and_what_is_known_is_shown(
    library, monkeypatch
):
    assert len(found(library)) == 5

    def fail(self):
        raise OSError("the disk is away")

    monkeypatch.setattr(type(library._kept.store), "list_run_ids", fail)
    library.index._updated = 0.0
    assert len(found(library)) == 5
    end = time.monotonic() + 30
    while not library.index.problem:
        assert time.monotonic() < end
        time.sleep(0.01)
    assert library.index.problem == "OSError: the disk is away"
