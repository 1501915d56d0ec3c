"""The n-th request of S3, and the n-th statement of SQL, fails, for every n."""

import itertools

import failing
import pytest
import s3
from failing import Failing

from runnable import Catalog, Pipeline, PythonTask, pickled
from runnable.catalog.object_store import S3Catalog
from runnable.datastore.object_store import S3RunLogStore
from runnable.datastore.sql import PostgresRunLogStore, SqliteRunLogStore
from runnable.exceptions import ExecutionFailedError, RunLogNotFoundError, StoreError


def make():
    with open("out.txt", "w") as file:
        file.write("kept")
    return 1, {"complex": 1j}


def use(thing: dict, n: int) -> int:
    return n + len(thing)


def execute(run_id: str, services: dict) -> str:
    pipeline = Pipeline(
        steps=[
            PythonTask(
                name="make",
                function=make,
                returns=["n", pickled("thing")],
                catalog=Catalog(put=["out.txt"]),
            ),
            PythonTask(name="use", function=use, returns=["n"]),
        ]
    )
    try:
        return pipeline.execute(run_id=run_id, services=services).status
    except (ExecutionFailedError, StoreError) as error:
        text = str(error)
    # It says which of the places could not be used, and why.
    assert any(why in text for why in ("403", "interrupted", "terminat")), text
    assert any(where in text for where in ("s3://", ".sqlite", "postgresql://")), text
    return "FAIL"


def status(store, run_id: str) -> str:
    try:
        return store.get_run_log_by_id(run_id).status
    except RunLogNotFoundError:
        return "nothing"


def check(outcome: str, kept: str, *, lasting: bool) -> None:
    if outcome == "SUCCESS":
        assert kept == "SUCCESS"
    else:
        # The end of a run may be what could not be written, or what follows it.
        assert kept in {"nothing", "CREATED", "PROCESSING", "FAIL", "SUCCESS"}
        assert not lasting or kept != "FAIL"


@pytest.mark.parametrize("lasting", [False, True])
def test_the_nth_request_fails(lasting, s3_url):
    place = f"{s3.BUCKET}/failing-{lasting}"
    outcomes = set()
    with failing.proxy(s3_url) as proxy:
        options = {"bucket": place, "endpoint_url": proxy.url, **s3.KEYS}
        store = S3RunLogStore(**options)
        services = {"run_log_store": store, "catalog": S3Catalog(**options)}
        for number in itertools.count(1):
            proxy.failing = Failing(number, lasting=lasting)
            outcome = execute(f"r{number}", services)
            is_past = proxy.failing.count < number
            proxy.failing = None
            kept = status(store, f"r{number}")
            outcomes.add((outcome, kept))
            check(outcome, kept, lasting=lasting)
            if is_past:
                break
    assert number > 10
    assert (outcome, kept) == ("SUCCESS", "SUCCESS")
    assert ("FAIL", "PROCESSING" if lasting else "FAIL") in outcomes


@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_nth_statement_fails(kind, lasting, request, tmp_path):
    outcomes = set()
    for number in itertools.count(1):
        if kind == "sqlite":
            store = SqliteRunLogStore(location=str(tmp_path / "runs.sqlite"))
        else:
            store = PostgresRunLogStore(url=request.getfixturevalue("postgres_url"))
        calls = Failing(number, lasting=lasting)
        run_id = f"{kind}-{lasting}-{number}"
        failing.statements(store._engine, calls)
        outcome = execute(run_id, {"run_log_store": store})
        store.close()
        kept = status(store, run_id)
        store.close()
        outcomes.add((outcome, kept))
        check(outcome, kept, lasting=lasting)
        if calls.count < number:
            break
    assert number > 5
    assert (outcome, kept) == ("SUCCESS", "SUCCESS")
    assert ("FAIL", "PROCESSING" if lasting else "FAIL") in outcomes
