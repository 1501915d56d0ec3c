"""D16 to D25: parameters."""

import argparse
import datetime as dt
import decimal
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

import numpy as np
import pytest
from pydantic import BaseModel, Field

from runnable import (
    Conditional,
    ExecutionFailedError,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    ShellTask,
    get_run_log,
)
from tests.support.used import used_by

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


def one(name, function, *returns):
    return PythonTask(name=name, function=function, returns=list(returns))


def given(function, **parameters):
    """Run a function with parameters; return what it returned, or the error."""
    pipeline = one("s", function, "out").as_pipeline()
    try:
        run_log = pipeline.execute(parameters=parameters, services=IN_MEMORY)
    except ExecutionFailedError as failed:
        return failed.__cause__
    return run_log.parameters["out"].value


@pytest.mark.parametrize("kind", ["parallel", "map", "conditional"])
def test_D16_branches_see_the_parameters_around_them(kind):
    branch = one("g", lambda x: x + 1, "y").as_pipeline()
    step = {
        "parallel": lambda: Parallel(name="p", branches={"a": branch}),
        "map": lambda: Map(
            name="m", branch=branch, iterate_on="items", iterate_as="item"
        ),
        "conditional": lambda: Conditional(
            name="c", parameter="x", branches={"1": branch}
        ),
    }[kind]()
    pipeline = Pipeline(steps=[one("src", lambda: 1, "x"), step])
    run_log = pipeline.execute(
        parameters=used_by(pipeline, {"items": [0]}), services=IN_MEMORY
    )
    assert run_log.parameters["y"].value == ([2] if kind == "map" else 2)


def test_D17_what_a_task_changes_in_place_is_its_own():
    def change(xs):
        xs.append(99)
        raise ValueError

    steps = [one("a", lambda: [1, 2], "xs"), one("b", change)]
    with pytest.raises(ExecutionFailedError) as failed:
        Pipeline(steps=steps).execute(services=IN_MEMORY)
    assert failed.value.run_log.parameters["xs"].value == [1, 2]


def test_D18_what_cannot_be_stored_is_refused_and_harms_no_log():
    class Odd:
        pass

    pipeline = one("s", lambda: {"deep": [Odd()]}, "out").as_pipeline()
    with pytest.raises(ExecutionFailedError, match=r"deep.*Odd"):
        pipeline.execute(run_id="r1")
    assert get_run_log("r1").status == "FAIL"
    json.loads(Path(".run_log_store/r1.json").read_text())


def test_D19_values_are_converted_only_where_that_is_clear():
    def flag(b: bool):
        return b

    def whole(i: int):
        return i

    def text(s: str):
        return s

    assert given(flag, b="false") is False
    assert "is not int" in str(given(whole, i=3.7))
    assert given(whole, i=3.0) == 3
    assert "is not str" in str(given(text, s=None))
    assert given(lambda: np.int64(3)) == 3
    assert isinstance(given(lambda: np.int64(3)), int)
    assert given(lambda: {"when": dt.date(2020, 1, 1)}) == {"when": "2020-01-01"}
    assert given(lambda: decimal.Decimal("0.5")) in (0.5, "0.5")


class Model(BaseModel):
    size: int = Field(alias="theSize")


ANNOTATIONS = [
    (Optional[int], "3", 3),  # noqa: UP045 - as users write it
    (int | None, None, None),
    (Union[int, str], "x", "x"),  # noqa: UP007
    (Any, [1], [1]),
    (Literal["a", "b"], "a", "a"),
    (Annotated[int, Field(gt=1)], 2, 2),
    (Callable[..., int] | None, None, None),
    (list[int], ["1", 2], [1, 2]),
]


@pytest.mark.parametrize(("annotation", "value", "seen"), ANNOTATIONS)
def test_D20_any_annotation(annotation, value, seen):
    def function(x):
        return x

    function.__annotations__["x"] = annotation
    assert given(function, x=value) == seen


def test_D20_dates():
    def function(day: dt.date):
        assert isinstance(day, dt.date)
        return day.year

    assert given(function, day="2020-02-01") == 2020


def test_D21_postponed_annotations():
    namespace: dict = {}
    exec(
        "from __future__ import annotations\n"
        "import argparse\n"
        "from pydantic import BaseModel\n"
        "class M(BaseModel):\n    n: int\n"
        "def typed(m: M, x: int): return m.n + x\n"
        "def old(args: argparse.Namespace): return args.x\n",
        namespace,
    )
    assert given(namespace["typed"], m={"n": 1}, x="2") == 3
    assert given(namespace["old"], x=5) == 5


def test_D21_namespaces():
    def function(args: argparse.Namespace):
        return args.a + args.b

    assert given(function, a=1, b=2) == 3


def test_D22_models_with_aliases():
    def make() -> Model:
        return Model(theSize=3)

    def use(m: Model):
        return m.size

    steps = [one("make", make, "m"), one("use", use, "out")]
    run_log = Pipeline(steps=steps).execute(services=IN_MEMORY)
    assert run_log.parameters["out"].value == 3


def test_D23_variables_reach_names_of_any_case(monkeypatch):
    Path("p.yaml").write_text("learningRate: 0.1\n")
    monkeypatch.setenv("RUNNABLE_PRM_learningRate", "0.5")
    run_log = (
        one("s", lambda learningRate: learningRate, "out")
        .as_pipeline()
        .execute(parameters_file="p.yaml", services=IN_MEMORY)
    )
    assert run_log.parameters["out"].value == 0.5
    assert set(run_log.parameters) == {"learningRate", "out"}


def test_D24_dates_in_a_parameters_file():
    Path("p.yaml").write_text("day: 2020-02-01\n")
    run_log = (
        one("s", lambda day: day, "out")
        .as_pipeline()
        .execute(parameters_file="p.yaml", services=IN_MEMORY)
    )
    assert run_log.parameters["out"].value == "2020-02-01"


def test_D25_the_item_of_a_map_wins_in_commands_as_well():
    steps = [
        ShellTask(name="sh", command="export a=$x", returns=["a"]),
        one("py", lambda x: x, "b"),
    ]
    step = Map(name="m", branch=Pipeline(steps=steps), iterate_on="xs", iterate_as="x")
    run_log = step.as_pipeline().execute(
        parameters={"x": "outside", "xs": ["inside"]}, services=IN_MEMORY
    )
    assert run_log.parameters["a"].value == ["inside"]
    assert run_log.parameters["b"].value == ["inside"]
