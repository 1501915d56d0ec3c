"""Functions get the parameters that their signature asks for."""

from __future__ import annotations

import argparse
import collections.abc
import dataclasses
import datetime as dt
import decimal
import enum
import functools
import pathlib
import typing
import uuid

import pytest
from pydantic import BaseModel, Field

from runnable import Provide, PythonTask, inject
from runnable.exceptions import BindingError, ParameterMissingError
from runnable.parameters import Binder, Offer, name_of


def call(function, **values):
    offers = {name: Offer(lambda value=value: value) for name, value in values.items()}
    args, kwargs = Binder(function).bind(offers)
    return function(*args, **kwargs)


T = typing.TypeVar("T")


class Colour(enum.Enum):
    RED = "red"


class Inner(BaseModel):
    n: int


class Model(BaseModel):
    x: int
    inner: Inner | None = None
    renamed: int = Field(default=0, alias="Renamed")


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Typed(typing.TypedDict):
    n: int


def annotated(annotation):
    def function(x):
        return x

    function.__annotations__ = {"x": annotation}
    return function


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (int, 3, 3),
        (int, "3", 3),
        (float, 3, 3.0),
        (bool, "false", False),
        (str, "x", "x"),
        (typing.Any, {"a": 1}, {"a": 1}),
        (object, [1], [1]),
        (int | None, None, None),
        (typing.Optional[int], "4", 4),  # noqa: UP045
        (typing.Union[int, str], "x", "x"),  # noqa: UP007
        (typing.Literal["a", "b"], "a", "a"),
        (typing.Annotated[int, Field(gt=0)], 5, 5),
        (list[int], ["1", 2], [1, 2]),
        (dict[str, float], {"a": 1}, {"a": 1.0}),
        (tuple[int, str], [1, "x"], (1, "x")),
        (set[int], [1, 1], {1}),
        (list[Inner], [{"n": 1}], [Inner(n=1)]),
        (Model, {"x": 1, "unknown": 2}, Model(x=1)),
        (Model, {"x": 1, "Renamed": 7}, Model(x=1, Renamed=7)),
        (Model, {"x": 1, "inner": {"n": 2}}, Model(x=1, inner=Inner(n=2))),
        (Model, 5, Model(x=5)),
        (Point, {"x": "1"}, Point(1)),
        (Typed, {"n": 1}, {"n": 1}),
        (Colour, "red", Colour.RED),
        (dt.date, "2026-01-31", dt.date(2026, 1, 31)),
        (pathlib.Path, "a/b", pathlib.Path("a/b")),
    ],
)
def test_values_become_their_annotated_type(annotation, value, expected):
    converted = call(annotated(annotation), x=value)
    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "wanted"),
    [
        (int, "many", "'many' is not int (Input should be a valid integer"),
        (int, 3.7, "3.7 is not int"),
        (str, None, "None is not str"),
        (typing.Literal["a"], "b", "'b' is not Literal['a']"),
        (list[int], [1, "x"], "(1: Input should be a valid integer"),
        (Model, {"x": {}}, "(x: Input should be a valid integer"),
    ],
)
def test_an_inconvertible_value_is_named(annotation, value, wanted):
    with pytest.raises(BindingError) as caught:
        call(annotated(annotation), x=value)
    text = str(caught.value)
    assert "function() cannot be given parameter 'x'" in text
    assert wanted in text.replace("typing.", "")


def test_postponed_annotations_are_resolved():
    def function(x: int, point: Point) -> tuple:
        return x, point

    assert call(function, x="1", point={"x": 2}) == (1, Point(2))


def test_a_name_that_only_checkers_know_is_left_alone():
    def function(x: Unknown, y: int):  # noqa: F821
        return x, y

    assert call(function, x="1", y=2) == ("1", 2)


def test_kinds_of_arguments():
    def function(a, b=2, /, c=3, *args, d, e=5, **rest):
        return a, b, c, args, d, e, rest

    assert call(function, a=1, d=4, z=9) == (1, 2, 3, (), 4, 5, {"z": 9})
    assert call(function, a=1, c=0, d=4) == (1, 2, 0, (), 4, 5, {})
    assert Binder(function).required() == ["a", "d"]


def test_a_namespace_holds_the_rest():
    def function(a: int, rest: argparse.Namespace):
        return a, vars(rest)

    assert call(function, a=1, b=2) == (1, {"b": 2})
    assert Binder(function).required() == ["a"]


def test_objects_are_passed_as_they_are():
    thing = object()
    args, kwargs = Binder(annotated(int)).bind({"x": Offer(lambda: thing, True)})
    assert (args, kwargs) == ([], {"x": thing})


def test_only_requested_parameters_are_loaded():
    def fail():
        raise AssertionError("loaded")

    offers = {"x": Offer(lambda: 1), "huge": Offer(fail)}
    assert Binder(annotated(int)).bind(offers) == ([], {"x": 1})


def test_a_missing_parameter_is_named():
    with pytest.raises(ParameterMissingError) as caught:
        call(annotated(int), xx=1)
    assert "function() needs parameter 'x'" in str(caught.value)
    assert "Did you mean 'xx'?" in str(caught.value)


def test_marked_arguments_are_left_alone():
    @inject
    def function(x: int, *, run_id: str = Provide["run_id"], **rest):
        return x, run_id, rest

    args, kwargs = Binder(function).bind({
        name: Offer(lambda: 1) for name in ("x", "run_id", "other")
    })
    assert (args, kwargs) == ([], {"x": 1, "other": 1})
    assert Binder(function).required() == ["x"]


class Callable:
    def __call__(self, x: int) -> int:
        return x

    def method(self, x: int) -> int:
        return x


def test_names_of_functions():
    here = __name__
    assert name_of(name_of) == "runnable.parameters.binding.name_of"
    assert name_of(functools.partial(call, 1)) == f"{here}.call"
    assert name_of(Callable()) == f"{here}.Callable.__call__"
    assert name_of(Callable().method) == f"{here}.Callable.method"


@pytest.mark.parametrize(
    "function", [Callable(), Callable().method, functools.partial(Callable().method)]
)
def test_annotations_of_callables_are_found(function):
    assert call(function, x="3") == 3


def test_a_class_is_a_function_too():
    assert call(Point, x=1) == Point(1)
    assert call(Model, x=1).x == 1


def test_decorated_functions_show_their_own_signature():
    def decorate(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function(*args, **kwargs)

        return wrapper

    assert call(decorate(annotated(int)), x="3") == 3


class Generic(BaseModel, typing.Generic[T]):
    items: list[T]
    at: dt.datetime | None = None


class Nested(BaseModel):
    model: Model
    points: dict[str, Point] = {}
    colours: list[Colour] = []


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (Nested, {"model": {"x": "1"}}, Nested(model=Model(x=1))),
        (
            Nested,
            {"model": {"x": 1}, "points": {"a": {"x": 1}}, "colours": ["red"]},
            Nested(model=Model(x=1), points={"a": Point(1)}, colours=[Colour.RED]),
        ),
        (Generic[int], {"items": ["1", 2]}, Generic[int](items=[1, 2])),
        (
            Generic[int],
            {"items": [], "at": "2026-01-31T10:00:00Z"},
            Generic[int](items=[], at=dt.datetime(2026, 1, 31, 10, tzinfo=dt.UTC)),
        ),
        (Model | None, {"x": 1}, Model(x=1)),
        (Model | int, 5, 5),
        (dict[str, list[Model]], {"a": [{"x": 1}]}, {"a": [Model(x=1)]}),
        (tuple[Colour, ...], ["red", "red"], (Colour.RED, Colour.RED)),
        (dt.timedelta, "PT1H", dt.timedelta(hours=1)),
        (uuid.UUID, "0" * 32, uuid.UUID(int=0)),
        (decimal.Decimal, "1.50", decimal.Decimal("1.50")),
        (collections.abc.Sequence[int], ["1"], [1]),
        (frozenset[str], ["a"], frozenset({"a"})),
        (typing.NewType("Rows", int), "3", 3),
    ],
)
def test_deep_and_generic_annotations(annotation, value, expected):
    converted = call(annotated(annotation), x=value)
    assert converted == expected
    assert type(converted) is type(expected)


def test_a_model_of_several_parameters():
    def function(config: Model, other: int = 0):
        return config, other

    built = call(function, x="1", Renamed=7, inner={"n": 3}, other=2)
    assert built == (Model(x=1, Renamed=7, inner=Inner(n=3)), 2)
    # One parameter of the argument's name comes first.
    assert call(function, config={"x": 5}, x=1)[0] == Model(x=5)
    assert Binder(function).required() == []


def test_a_model_of_several_parameters_that_are_not_there():
    class Optional(BaseModel):
        x: int = 0

    def function(config: Model):
        return config

    with pytest.raises(ParameterMissingError, match="or one for its field 'x'"):
        call(function, y=1)
    with pytest.raises(ParameterMissingError, match="needs parameter 'config'"):
        call(lambda config: config, y=1)

    def lenient(config: Optional):
        return config

    with pytest.raises(ParameterMissingError, match="needs parameter 'config'"):
        call(lenient, y=1)
    with pytest.raises(BindingError, match="x: Input should be a valid integer"):
        call(function, x="many")


@pytest.mark.parametrize("x", [5, "text", 1.5])
def test_a_generic_function_is_called_by_the_type_of_its_first_argument(x):
    @functools.singledispatch
    def kind(x, suffix="!"):
        return f"any{suffix}"

    @kind.register
    def _int(x: int, suffix="!"):
        return f"int{suffix}"

    @kind.register
    def _str(x: str, suffix="!"):
        return f"str{suffix}"

    positional, keywords = Binder(kind).bind({"x": Offer(lambda: x)})
    expected = {int: "int!", str: "str!"}.get(type(x), "any!")
    assert kind(*positional, **keywords) == expected


def supplied(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function("connection", *args, **kwargs)

    return wrapper


@supplied
def query(connection, n):
    return f"{connection} {n}"


def test_a_parameter_that_a_decorator_supplies_has_a_hint():
    pipeline = PythonTask(name="q", function=query, returns=["r"]).as_pipeline()
    with pytest.raises(ParameterMissingError, match=r"functools.wraps.*__wrapped__"):
        pipeline.execute(parameters={"n": 1})
    with pytest.raises(ParameterMissingError) as caught:
        PythonTask(name="q", function=lambda n: n).as_pipeline().execute()
    assert "functools" not in str(caught.value)


def test_the_hint_helps(in_memory):
    hidden = supplied(lambda connection, n: f"{connection} {n}")
    del hidden.__wrapped__
    task = PythonTask(name="q", function=hidden, returns=["r"])
    run_log = task.as_pipeline().execute(parameters={"n": 1}, services=in_memory)
    assert run_log.parameters["r"].value == "connection 1"
