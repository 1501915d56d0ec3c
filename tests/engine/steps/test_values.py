"""From parameters to offers, and from returned values to parameters."""

import threading
from typing import Any

import pytest

from runnable import (
    ExecutionFailedError,
    Map,
    Pipeline,
    PythonTask,
    get_run_log,
    metric,
    pickled,
)
from runnable.datastore import JsonParameter
from runnable.engine.parameter_scope import ParameterScope
from runnable.engine.steps.values import Offers, json_parameters
from runnable.events import Warned, listening
from runnable.exceptions import (
    ObjectNotLoadableError,
    ReturnsError,
    ValueNotStorableError,
    ValueTooLongError,
)


def executed(function, returns, in_memory, **parameters):
    task = PythonTask(name="s", function=function, returns=returns)
    return task.as_pipeline().execute(parameters=parameters, services=in_memory)


def test_initial_values_are_json_and_named_by_text():
    assert json_parameters({"x": (1, 2)})["x"].value == [1, 2]
    with pytest.raises(ValueNotStorableError, match=r"x\.y"):
        json_parameters({"x": {"y": object()}})
    with pytest.raises(ValueNotStorableError, match="names are text"):
        json_parameters({1: 2})


def test_an_offer_is_a_copy_and_notes_what_is_loaded():
    outer = ParameterScope("", {"x": JsonParameter(value=[1])})
    scope = ParameterScope("m.0", {"y": JsonParameter(value=2)}, outer=outer)
    read = []
    offers = Offers(scope, None, read)
    offers["x"].load().append(5)
    assert offers["x"].load() == [1]
    assert offers["y"].load() == 2
    assert read == ["x", "y"]
    assert set(offers) == {"x", "y"}
    assert len(offers) == 2
    assert offers.get("z") is None


@pytest.mark.parametrize(
    ("result", "returns"), [((1, 2), ["x"]), (1, ["x", "y"]), ((), ["x"])]
)
def test_as_many_values_as_declared_are_needed(result, returns, in_memory):
    with pytest.raises(ExecutionFailedError) as caught:
        executed(lambda: result, returns, in_memory)
    assert isinstance(caught.value.__cause__, ReturnsError)


def test_each_kind_is_kept_as_declared(in_memory):
    returns = ["plain", metric("score"), pickled("made")]
    run_log = executed(lambda: (1, 0.5, {1, 2}), returns, in_memory)
    kinds = {name: it.kind for name, it in run_log.parameters.items()}
    assert kinds == {"plain": "json", "score": "metric", "made": "object"}
    assert run_log.metrics == {"score": 0.5}


def test_a_map_of_metrics_is_a_metric_and_of_objects_an_object(in_memory):
    def work(x):
        return x, {x}

    branch = PythonTask(name="w", function=work, returns=[metric("m"), pickled("o")])
    mapped = Map(
        name="map", branch=branch.as_pipeline(), iterate_on="xs", iterate_as="x"
    )
    run_log = Pipeline(steps=[mapped]).execute(
        parameters={"xs": [1, 2]}, services=in_memory
    )
    assert run_log.metrics == {"m": [1, 2]}
    assert run_log.parameters["o"].kind == "object"


def test_of_several_objects_the_one_that_cannot_be_pickled_is_named():
    def make():
        return {1}, threading.Lock(), {2}

    names = [pickled("first"), pickled("second"), pickled("third")]
    task = PythonTask(name="a", function=make, returns=names)
    with pytest.raises(ExecutionFailedError, match=r"'second' is a lock that cannot"):
        task.as_pipeline().execute()


class Broken:
    def __reduce__(self):
        return int, ("no number",)


def test_of_several_objects_the_one_that_cannot_be_loaded_is_named():
    make = PythonTask(
        name="a",
        function=lambda: ({1}, Broken()),
        returns=[pickled("good"), pickled("bad")],
    )
    use = PythonTask(name="b", function=lambda good, bad: 1)
    with pytest.raises(ExecutionFailedError, match=r"object 'bad' cannot be unpickled"):
        Pipeline(steps=[make, use]).execute(run_id="r1")
    with pytest.raises(ObjectNotLoadableError, match="no number"):
        get_run_log("r1").parameters["bad"].get_value()


def test_a_long_value_is_warned_of_once(in_memory, caplog):
    def make(n):
        return [n] * 200_000, "short"

    branch = PythonTask(name="s", function=make, returns=["rows", "text"])
    step = Map(name="m", iterate_on="ns", iterate_as="n", branch=branch.as_pipeline())
    seen = []
    with listening(seen.append):
        step.as_pipeline().execute(parameters={"ns": [1, 2]}, services=in_memory)
    assert len([it for it in seen if isinstance(it, Warned)]) == 1
    assert "returned 'rows', a list whose JSON has more than 1,000,000" in caplog.text
    assert caplog.text.count("pickled('rows')") == 1


def test_an_object_may_be_long(in_memory, caplog):
    run_log = executed(lambda: [1.5] * 200_000, [pickled("rows")], in_memory)
    assert run_log.status == "SUCCESS"
    assert not caplog.text


def test_a_value_that_is_too_long_is_refused(in_memory):
    with pytest.raises(ExecutionFailedError) as caught:
        executed(lambda: "x" * 50_000_001, ["text"], in_memory)
    assert isinstance(caught.value.__cause__, ValueTooLongError)
    assert "text is a str whose JSON has more than 50,000,000" in str(caught.value)


def forgets():
    pass


def knows() -> float | None:
    return None


def may_be_anything() -> Any:
    return None


def says_none() -> None:
    return None


@pytest.mark.parametrize(
    ("function", "is_warned_of"),
    [
        (forgets, True),
        (lambda: None, True),
        (says_none, True),
        (knows, False),
        (may_be_anything, False),
        (lambda: 0, False),
    ],
)
def test_a_forgotten_return_is_warned_of(function, is_warned_of, in_memory, caplog):
    run_log = executed(function, ["x"], in_memory)
    assert run_log.status == "SUCCESS"
    text = "Step 's': it returned None for 'x'; is a `return` missing?"
    assert (text in caplog.text) == is_warned_of


def test_none_among_others_is_meant(in_memory, caplog):
    executed(lambda: (None, 1), ["x", "y"], in_memory)
    executed(lambda: None, [], in_memory)
    assert not caplog.text
