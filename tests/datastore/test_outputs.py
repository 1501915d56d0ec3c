"""What a run has returned, in one word."""

import pickle
from dataclasses import dataclass

import pytest

from runnable import Map, Pipeline, PythonTask, Stub, pickled
from runnable.exceptions import (
    ArtifactNotFoundError,
    ExecutionFailedError,
    OutputTypeError,
)


class Counted:
    """Counts how often it is loaded."""

    loaded = 0

    def __init__(self):
        self.value = 1

    def __setstate__(self, state):
        type(self).loaded += 1


@dataclass
class Point:
    x: int
    y: int


def make():
    return 3, Counted(), {"x": 1, "y": 2}


@pytest.fixture
def run_log(tmp_path):
    catalog = {"type": "file-system", "config": {"catalog_location": str(tmp_path)}}
    services = {"run_log_store": {"type": "memory"}, "catalog": catalog}
    step = PythonTask(function=make, returns=["average", pickled("it"), "point"])
    pipeline = Pipeline(steps=[Stub(name="first"), step])
    return pipeline.execute(parameters={"given": 1}, services=services)


def test_outputs_are_what_steps_returned(run_log):
    assert list(run_log.outputs) == ["average", "it", "point"]
    assert run_log.outputs["average"] == run_log["average"] == 3
    assert "given" not in run_log.outputs
    assert run_log.outputs.get("nothing", 1) == 1
    assert run_log["given"] == 1
    assert run_log.parameters["average"].value == 3


def test_objects_are_loaded_when_they_are_looked_up(run_log):
    Counted.loaded = 0
    assert "'it': <object>" in repr(run_log.outputs)
    assert len(run_log.outputs) == 3
    assert Counted.loaded == 0
    assert isinstance(run_log.outputs["it"], Counted)
    assert Counted.loaded == 1


def test_an_output_of_a_type(run_log):
    assert run_log.output("average", float) == 3.0
    assert run_log.output("point", Point) == Point(1, 2)
    assert run_log.output("point", dict[str, int]) == {"x": 1, "y": 2}
    assert isinstance(run_log.output("it", Counted), Counted)
    with pytest.raises(OutputTypeError, match="'average' is a int, not a list"):
        run_log.output("average", list)


def test_a_name_that_is_not_there_is_a_key_error_with_a_hint(run_log):
    for look in (run_log.outputs.__getitem__, run_log.__getitem__):
        with pytest.raises(ArtifactNotFoundError, match="Did you mean 'average'"):
            look("averag")
        with pytest.raises(KeyError):
            look("averag")


def test_a_map_has_outputs():
    def double(x):
        return 2 * x

    branch = PythonTask(function=double, returns=["y"]).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    none = {"type": "do-nothing"}
    services = {"run_log_store": {"type": "memory"}, "catalog": none}
    run_log = step.as_pipeline().execute(parameters={"xs": [1, 2]}, services=services)
    assert run_log.outputs == {"y": [2, 4]}


def test_an_input_is_no_output_where_a_branch_returned_its_name():
    def inc(x):
        return x + 5

    def broken():
        raise ValueError("no")

    steps = [
        PythonTask(function=inc, returns=["x"]),
        PythonTask(function=broken),
    ]
    step = Map(name="m", branch=Pipeline(steps=steps), iterate_on="xs", iterate_as="i")
    with pytest.raises(ExecutionFailedError) as caught:
        step.as_pipeline().execute(
            parameters={"x": 1, "xs": [5]},
            services={"run_log_store": {"type": "memory"}},
        )
    run_log = caught.value.run_log
    assert run_log.outputs == {}
    assert run_log["x"] == 1


def test_outputs_can_be_pickled_and_asked_for_names(run_log):
    assert "average" in run_log
    assert "given" in run_log
    assert "nothing" not in run_log
    assert list(pickle.loads(pickle.dumps(run_log.outputs))) == list(run_log.outputs)
