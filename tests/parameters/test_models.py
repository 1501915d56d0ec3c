"""A model that a step returns arrives as the same model, or is refused."""

import datetime as dt
from typing import Any

import pytest
from pydantic import (
    BaseModel,
    Field,
    PrivateAttr,
    SecretStr,
    computed_field,
    field_validator,
)

from runnable import ExecutionFailedError, Pipeline, PythonTask
from runnable.exceptions import ValueNotStorableError


class Base(BaseModel):
    name: str


class Sub(Base):
    more: int


class Holder(BaseModel):
    item: Base


class Loose(BaseModel):
    item: Any


class Excluding(BaseModel):
    shown: int
    hidden: int = Field(default=0, exclude=True)


class Computing(BaseModel, extra="forbid"):
    x: int

    @computed_field
    @property
    def double(self) -> int:
        return 2 * self.x


class Aliased(BaseModel):
    class_: str = Field(alias="class")
    at: dt.datetime
    parts: tuple[int, ...]
    loss: float


class Private(BaseModel):
    x: int
    _cache: dict = PrivateAttr(default_factory=dict)


class Growing(BaseModel):
    x: int

    @field_validator("x")
    @classmethod
    def grow(cls, value: int) -> int:
        return value + 1


class Credentials(BaseModel):
    user: str
    password: SecretStr


class Deep(BaseModel):
    inner: list[Credentials]


def passed_on(value, in_memory):
    """Return the value as the next step gets it, and the value as it is recorded."""
    got = []

    def take(x):
        got.append(x)

    take.__annotations__["x"] = type(value)
    steps = [
        PythonTask(name="make", function=lambda: value, returns=["x"]),
        PythonTask(name="take", function=take),
    ]
    run_log = Pipeline(steps=steps).execute(services=in_memory)
    return got[0], run_log.parameters["x"].value


@pytest.mark.parametrize(
    "value",
    [
        Base(name="a"),
        Sub(name="a", more=1),
        Holder(item=Base(name="a")),
        Excluding(shown=1),
        Computing(x=2),
        Aliased.model_validate({
            "class": "a",
            "at": dt.datetime.now(dt.UTC),
            "parts": (1, 2),
            "loss": 0.5,
        }),
        Private(x=1),
    ],
    ids=lambda it: type(it).__name__,
)
def test_the_next_step_gets_an_equal_model(value, in_memory):
    got, _ = passed_on(value, in_memory)
    assert got == value


def test_computed_fields_are_recorded_where_they_can_be_read_back(in_memory):
    class Plain(BaseModel):
        x: int

        @computed_field
        @property
        def double(self) -> int:
            return 2 * self.x

    assert passed_on(Plain(x=2), in_memory)[1] == {"x": 2, "double": 4}
    assert passed_on(Computing(x=2), in_memory)[1] == {"x": 2}


def test_nan_is_the_same():
    value = Aliased.model_validate({
        "class": "a",
        "at": dt.datetime.now(dt.UTC),
        "parts": (),
        "loss": "nan",
    })
    step = PythonTask(name="s", function=lambda: value, returns=["x"])
    assert step.as_pipeline().execute().status == "SUCCESS"


@pytest.mark.parametrize(
    ("value", "field", "why"),
    [
        (Holder(item=Sub(name="a", more=1)), "x.item", "pickled"),
        (Excluding(shown=1, hidden=2), "x.hidden", "pickled"),
        (Growing(x=1), "x.x", "pickled"),
        (Loose(item=Base(name="a")), "x.item", "pickled"),
        (Credentials(user="a", password="s3cr3t-value"), "x.password", "secret"),
        (
            Deep(inner=[Credentials(user="a", password="s3cr3t-value")]),
            "x.inner",
            "secret",
        ),
        (SecretStr("s3cr3t-value"), "x", "secret"),
    ],
    ids=lambda it: type(it).__name__,
)
def test_a_model_that_would_lose_something_is_refused(value, field, why, in_memory):
    with pytest.raises(ExecutionFailedError) as caught:
        passed_on(value, in_memory)
    error = caught.value.__cause__
    assert isinstance(error, ValueNotStorableError)
    assert error.location.startswith(field)
    assert why in str(error)
    assert "s3cr3t" not in str(error)
