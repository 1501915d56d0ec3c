"""However branches overlap, and wherever a run is cut off, it comes to the same."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from random_pipelines import PARAMETERS, comparable, drawn_pipelines

from runnable import ExecutionFailedError, Pipeline
from runnable.datastore import RunFinished
from runnable.datastore.memory import MemoryRunLogStore

MANY = settings(
    deadline=None, suppress_health_check=list(HealthCheck), max_examples=100
)


def executed(pipeline, parallelism, way="execute", store=None):
    """Run a pipeline, and return its log, whatever it came to."""
    arguments = {
        "parameters": PARAMETERS,
        "services": {
            "run_log_store": store or {"type": "memory"},
            "catalog": {"type": "do-nothing"},
            "pipeline_executor": {"type": "local", "parallelism": parallelism},
        },
    }
    try:
        if way == "execute":
            return pipeline.execute(**arguments)
        return asyncio.run(pipeline.execute_async(**arguments))
    except ExecutionFailedError as failed:
        return failed.run_log


@MANY
@given(drawn_pipelines())
def test_threads_and_asyncio_tasks_give_the_log_of_a_sequence(pipeline):
    expected = comparable(executed(pipeline, "none"))
    assert comparable(executed(pipeline, "thread")) == expected
    assert comparable(executed(pipeline, "thread", "execute_async")) == expected


@settings(MANY, max_examples=10)
@given(drawn_pipelines())
def test_worker_processes_give_the_log_of_a_sequence(pipeline):
    expected = comparable(executed(pipeline, "none"))
    assert comparable(executed(pipeline, "process")) == expected


def continued(pipeline, records):
    """Go on with a run of which some records are kept."""
    store = MemoryRunLogStore()
    first, *others = records
    journal = store.create("r1", first)
    for record in others:
        journal.append(record)
    try:
        return pipeline.execute(
            resume="r1",
            services={"run_log_store": store, "catalog": {"type": "do-nothing"}},
        )
    except ExecutionFailedError as failed:
        return failed.run_log


def last_attempts(content):
    """Leave out attempts that were cut off, how many there were, and whether an error
    is known as it was raised or as it was recorded.
    """
    if isinstance(content, dict):
        content = {key: last_attempts(it) for key, it in content.items()}
        if content.get("branches"):
            del content["message"]
        for attempt in content.get("attempts", ()):
            del attempt["attempt_number"]
        if content.get("attempts"):
            content["attempts"] = content["attempts"][-1:]
    if isinstance(content, list):
        return [last_attempts(it) for it in content]
    return content


@MANY
@given(drawn_pipelines(), st.data())
def test_a_run_that_was_cut_off_anywhere_comes_to_the_same_end(pipeline, data):
    store = MemoryRunLogStore()
    whole = executed(pipeline, "thread", store=store)
    records = list(store.read(whole.run_id))
    kept = data.draw(st.integers(1, len(records)), label="records kept")
    note(f"{kept} of {len(records)}: {records[kept - 1]}")

    again = continued(pipeline, records[:kept])

    assert last_attempts(comparable(again)) == last_attempts(comparable(whole))


def test_a_step_that_has_ended_is_not_run_again():
    """Each function that is recorded to have returned is called once in all."""
    from runnable import Map, Parallel, PythonTask

    called = []

    def call(x):
        called.append(x)
        return x

    one = PythonTask(name="one", function=call, returns=["y"]).as_pipeline()
    pipeline = Pipeline(
        steps=[
            Map(name="m", iterate_on="items", iterate_as="x", branch=one),
            Parallel(name="p", branches={"a": one, "b": one}),
        ]
    )
    store = MemoryRunLogStore()
    executing = {
        "parameters": {"items": [1, 2, 3], "x": 4},
        "services": {"run_log_store": store, "catalog": {"type": "do-nothing"}},
    }
    run_id = pipeline.execute(**executing).run_id
    records = list(store.read(run_id))
    for kept in range(1, len(records)):
        ended = {
            record.path
            for record in records[:kept]
            if getattr(record, "path", "").endswith(".one")
            and hasattr(record, "outputs")
        }
        called.clear()
        continued(pipeline, records[:kept])
        assert len(called) == 5 - len(ended)


@pytest.mark.parametrize("parallelism", ["none", "thread"])
def test_a_log_ends_with_the_end_of_the_run(parallelism):
    store = MemoryRunLogStore()
    from runnable import Stub

    run_id = executed(Stub(name="s").as_pipeline(), parallelism, store=store).run_id
    assert isinstance(list(store.read(run_id))[-1], RunFinished)
