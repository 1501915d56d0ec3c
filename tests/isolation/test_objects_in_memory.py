"""Objects behave in memory as they do in files: each step has a copy of its own."""

import threading

import pytest

from runnable import Map, Pipeline, PythonTask, pickled

CATALOGS = {"in memory": {"type": "do-nothing"}, "in files": {"type": "file-system"}}


class Basket:
    def __init__(self):
        self.items = ["egg"]


@pytest.mark.parametrize("catalog", CATALOGS.values(), ids=CATALOGS)
@pytest.mark.parametrize("parallelism", ["none", "thread"])
def test_a_change_in_place_is_not_seen_by_other_steps(catalog, parallelism):
    def change(basket, n):
        basket.items.append(n)
        return len(basket.items)

    def look(basket):
        return basket.items

    branch = PythonTask(name="change", function=change, returns=["sizes"])
    steps = [
        PythonTask(name="make", function=Basket, returns=[pickled("basket")]),
        Map(
            name="m",
            branch=branch.as_pipeline(),
            iterate_on="ns",
            iterate_as="n",
            parallelism=parallelism,
        ),
        PythonTask(name="look", function=look, returns=["items"]),
    ]
    run_log = Pipeline(steps=steps).execute(
        parameters={"ns": [1, 2, 3]},
        services={"run_log_store": {"type": "memory"}, "catalog": catalog},
    )
    assert run_log.parameters["sizes"].value == [2, 2, 2]
    assert run_log.parameters["items"].value == ["egg"]
    assert run_log.parameters["basket"].get_value().items == ["egg"]


def test_an_object_that_cannot_be_copied_is_passed_on(in_memory):
    lock = threading.Lock()
    seen = []
    steps = [
        PythonTask(name="make", function=lambda: lock, returns=[pickled("lock")]),
        PythonTask(name="use", function=lambda lock: seen.append(lock)),
    ]
    Pipeline(steps=steps).execute(services=in_memory)
    assert seen == [lock]
