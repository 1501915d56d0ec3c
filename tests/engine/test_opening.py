"""Resuming any prefix of any journal: what failed is tried again, nothing is repeated."""

import collections

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from random_pipelines import PARAMETERS, Builder, drawn_nodes

from runnable import (
    ExecutionFailedError,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
)
from runnable.datastore.memory import MemoryRunLogStore
from runnable.journal import RunFinished, RunState
from runnable.scope import current_step
from tests.support.used import used_by

MANY = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=80)


class Flaky(Builder):
    """Builds pipelines whose tasks count their calls, and fail until they are mended."""

    def __init__(self):
        super().__init__()
        self.generation = 1
        self.is_mended = False
        self.calls = collections.Counter()

    def task(self, number, fails):
        def function(**visible):
            self.calls[current_step().path] += 1
            if fails and not self.is_mended:
                raise ValueError(f"generation {self.generation}")
            return number

        return PythonTask(
            name=f"t{number}", function=function, returns=[f"v{number % 3}"]
        )


def arguments(store):
    return {
        "services": {
            "run_log_store": store,
            "catalog": {"type": "do-nothing"},
            "pipeline_executor": {"type": "local", "parallelism": "none"},
        }
    }


def executed(pipeline, store, **which):
    try:
        return pipeline.execute(**arguments(store), **which), None
    except ExecutionFailedError as failed:
        return failed.run_log, failed


def store_of(records):
    store = MemoryRunLogStore()
    first, *others = records
    journal = store.create("r1", first)
    for record in others:
        journal.append(record)
    return store


def plain(parameters):
    return {name: it.value for name, it in parameters.items()}


@MANY
@given(drawn_nodes(), st.data(), st.booleans())
def test_failed_steps_are_tried_again_and_nothing_is_repeated(drawn, data, is_mended):
    builder = Flaky()
    pipeline = builder.pipeline(drawn)
    store = MemoryRunLogStore()
    first, _ = executed(pipeline, store, run_id="r1", parameters=PARAMETERS)
    records = list(store.read("r1"))
    kept = data.draw(st.integers(1, len(records)), label="records kept")
    before = RunState(records[:kept])
    note(f"{kept} of {len(records)}: {records[kept - 1]}")
    builder.generation, builder.is_mended = 2, is_mended
    builder.calls.clear()

    again, error = executed(pipeline, store_of(records[:kept]), resume="r1")

    for step in before.steps_below(""):
        if step.status == "SUCCESS":
            assert step.path not in builder.calls
    if before.status == "SUCCESS":
        assert not builder.calls
    elif error is not None:
        assert "generation 1" not in str(error)
        assert not is_mended
    if not is_mended and before.status != "SUCCESS":
        assert (again.status, plain(again.parameters)) == (
            first.status,
            plain(first.parameters),
        )


def flaky(calls, failing):
    def function(x):
        calls.append(x)
        if x in failing:
            raise ValueError(f"{x} is broken")
        return x

    return PythonTask(name="one", function=function, returns=["y"])


@pytest.mark.parametrize("kind", ["sequence", "map", "parallel"])
def test_every_cut_of_a_failed_run(kind):
    """A kill leaves any prefix; each is resumed to the same end, with the new error."""
    calls, failing = [], {2}
    one = flaky(calls, failing)
    step = {
        "sequence": [PythonTask(name="two", function=lambda: 2, returns=["x"]), one],
        "map": [
            Map(name="m", iterate_on="xs", iterate_as="x", branch=one.as_pipeline())
        ],
        "parallel": [
            Parallel(
                name="p",
                branches={"a": one.as_pipeline(), "b": one.as_pipeline()},
            )
        ],
    }[kind]
    pipeline = Pipeline(steps=step)
    store = MemoryRunLogStore()
    given_ = used_by(pipeline, {"xs": [1, 2, 3], "x": 2})
    _, error = executed(pipeline, store, run_id="r1", parameters=given_)
    assert "2 is broken" in str(error)
    records = list(store.read("r1"))
    failing.clear()
    for kept in range(1, len(records) + 1):
        again, error = executed(pipeline, store_of(records[:kept]), resume="r1")
        assert error is None, records[kept - 1]
        assert again.status == "SUCCESS"
    failing.add(2)
    for kept in range(1, len(records) + 1):
        calls.clear()
        _, error = executed(pipeline, store_of(records[:kept]), resume="r1")
        assert 2 in calls, records[kept - 1]
        # As it was raised now, not as it was recorded then.
        causes = getattr(error.__cause__, "exceptions", [error.__cause__])
        assert all(isinstance(it, ValueError) for it in causes), records[kept - 1]


def test_a_handler_of_an_abandoned_path_sets_nothing():
    """`a` failed and its handler set x; resumed, `a` succeeds: x is what it was."""
    broken = {"a"}

    def a():
        if "a" in broken:
            raise ValueError("not yet")

    def b(x):
        return x + 1

    handler = Pipeline(
        steps=[
            PythonTask(name="h", function=lambda: 100, returns=["x"]),
            PythonTask(name="g", function=lambda: 1 / 0, terminate_with_failure=True),
        ]
    )
    pipeline = Pipeline(
        steps=[
            PythonTask(name="a", function=a, on_failure=handler),
            PythonTask(name="b", function=b, returns=["y"]),
        ]
    )
    store = MemoryRunLogStore()
    executed(pipeline, store, run_id="r1", parameters={"x": 1})
    broken.clear()
    run_log, error = executed(pipeline, store, resume="r1")
    assert error is None
    assert plain(run_log.parameters) == {"x": 1, "y": 2}
    inputs = run_log.steps["b"].attempts[-1].input_parameters
    assert inputs["x"].value == 1
    assert isinstance(list(store.read("r1"))[-1], RunFinished)


class Interrupted:
    """A journal that is interrupted just after it has written a record."""

    def __init__(self, journal, after, error):
        self.journal, self.after, self.error = journal, after, error

    def append(self, *records):
        self.journal.append(*records)
        before, self.after = self.after, self.after - len(records)
        if before > 0 >= self.after:
            raise self.error

    def close(self):
        self.journal.close()


class InterruptedStore(MemoryRunLogStore):
    """Makes journals that are interrupted."""

    def create(self, run_id, first):
        return Interrupted(super().create(run_id, first), self._after, self._error)

    def interrupt(self, after, error):
        self._after, self._error = after, error
        return self


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("no answer")])
def test_an_interruption_just_after_a_record_was_written_loses_nothing(error):
    calls = collections.Counter()

    def one():
        calls[current_step().path] += 1
        return 1

    def add(v):
        calls[current_step().path] += 1
        return v + 1

    branch = PythonTask(name="s", function=one, returns=["w"]).as_pipeline()
    pipeline = Pipeline(
        steps=[
            PythonTask(name="a", function=one, returns=["v"]),
            Map(name="m", branch=branch, iterate_on="xs", iterate_as="x"),
            PythonTask(name="b", function=add, returns=["u"]),
        ]
    )
    given_parameters = {"xs": [1, 2]}
    for after in range(1, 19):
        store = InterruptedStore().interrupt(after, error)
        calls.clear()
        with pytest.raises((KeyboardInterrupt, ExecutionFailedError)):
            pipeline.execute(
                run_id="r1", parameters=given_parameters, **arguments(store)
            )
        written = list(store.read("r1"))
        run_log = pipeline.execute(resume="r1", **arguments(store_of(written)))
        assert run_log.status == "SUCCESS"
        assert plain(run_log.parameters) == {
            **given_parameters,
            "v": 1,
            "w": [1, 1],
            "u": 2,
        }
        ended = [it for it in written if type(it).__name__ == "StepFinished"]
        succeeded = {it.path for it in ended if it.status == "SUCCESS"} & calls.keys()
        assert {calls[path] for path in succeeded} <= {1}


def test_a_run_that_succeeded_does_nothing_however_often_its_resume_is_cut():
    """A failure that the run has handled stays handled."""
    calls = []

    def fail():
        calls.append(1)
        raise ValueError

    handler = PythonTask(name="h", function=lambda: None).as_pipeline()
    step = PythonTask(name="s", function=fail, on_failure=handler)
    pipeline = Pipeline(steps=[step])
    store = MemoryRunLogStore()
    assert pipeline.execute(run_id="r1", **arguments(store)).status == "SUCCESS"
    for _ in range(2):
        records = list(store.read("r1"))
        cut = next(
            at
            for at, it in enumerate(reversed(records))
            if type(it).__name__ in {"RunResumed", "RunFinished"}
        )
        store = store_of(records[: len(records) - cut])
        assert pipeline.execute(resume="r1", **arguments(store)).status == "SUCCESS"
        resumed = [type(it).__name__ for it in store.read("r1")].index("RunResumed")
        store = store_of(list(store.read("r1"))[: resumed + 1])
        assert pipeline.execute(resume="r1", **arguments(store)).status == "SUCCESS"
    assert calls == [1]
