"""The life of a step: attempts are recorded, and errors become outcomes."""

import pytest

from runnable import ExecutionFailedError, Pipeline, PythonTask
from runnable.datastore.memory import MemoryRunLogStore
from runnable.engine.steps.step import type_and_text
from runnable.journal import StepFinished, StepStarted


def executed(function, **more):
    store = MemoryRunLogStore()
    services = {"run_log_store": store, "catalog": {"type": "do-nothing"}}
    task = PythonTask(name="s", function=function, **more)
    failure = None
    try:
        task.as_pipeline().execute(run_id="r1", services=services)
    except ExecutionFailedError as error:
        failure = error
    records = [
        (type(it).__name__, it.attempt, getattr(it, "status", ""))
        for it in store.read("r1")
        if isinstance(it, StepStarted | StepFinished) and it.path == "s"
    ]
    return records, failure


def test_each_attempt_has_a_start_and_an_end():
    tries = []

    def third_time_lucky():
        tries.append(1)
        if len(tries) < 3:
            raise ValueError(len(tries))

    records, failure = executed(third_time_lucky, retries=2)
    assert failure is None
    assert records == [
        (kind, number, status)
        for number, end in ((1, "FAIL"), (2, "FAIL"), (3, "SUCCESS"))
        for kind, status in (("StepStarted", ""), ("StepFinished", end))
    ]


def leave():
    raise SystemExit(3)


def stop():
    raise StopIteration


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (leave, "SystemExit: 3"),
        (stop, "RuntimeError: the function raised StopIteration"),
        (lambda: 1 / 0, "ZeroDivisionError: division by zero"),
    ],
)
def test_any_exception_is_the_outcome_of_its_step(function, text):
    records, failure = executed(function)
    assert records[-1] == ("StepFinished", 1, "FAIL")
    assert text in str(failure)
    assert failure.run_log.steps["s"].attempts[0].message == text


def test_the_error_names_the_step_and_its_attempt():
    _, failure = executed(lambda: 1 / 0)
    assert failure.__cause__.__notes__ == ["in step 's', attempt 1"]


def test_outputs_are_visible_after_success_alone(in_memory):
    def add(x):
        return x + 1

    def fail():
        raise ValueError

    steps = [
        PythonTask(name="a", function=add, returns=["x"]),
        PythonTask(name="b", function=fail, returns=["x"]),
    ]
    with pytest.raises(ExecutionFailedError) as caught:
        Pipeline(steps=steps).execute(parameters={"x": 1}, services=in_memory)
    assert caught.value.run_log.parameters["x"].value == 2


def test_notes_are_no_part_of_the_text_of_an_error():
    error = ValueError("bad\nvalue")
    error.add_note("in step 's'\nattempt 1")
    assert type_and_text(error) == "ValueError: bad\nvalue"
    assert type_and_text(LookupError("x")) == "LookupError: x"
    assert type_and_text(None) == ""
