"""What becomes JSON, and what is refused."""

import datetime as dt
import decimal
import enum
import pathlib
import uuid
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from runnable.exceptions import ValueNotStorableError
from runnable.parameters import copy_json, to_json

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(json_values)
def test_json_stays_as_it_is_and_shares_nothing(value):
    converted = to_json(value, "x")
    assert converted == value
    assert copy_json(converted) == value
    if isinstance(value, (list, dict)):
        assert converted is not value
        assert copy_json(converted) is not converted


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Aliased(BaseModel):
    inner: int = Field(alias="Inner")
    at: dt.date = dt.date(2026, 1, 31)


@dataclass
class Point:
    x: int
    colour: Colour


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (range(3), [0, 1, 2]),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (dt.datetime(2026, 1, 31, 10, 0), "2026-01-31T10:00:00"),
        (dt.timedelta(hours=1), "PT1H"),
        (pathlib.PurePosixPath("a/b"), "a/b"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.10"), "1.10"),
        (Aliased(Inner=1), {"Inner": 1, "at": "2026-01-31"}),
        (Point(1, Colour.RED), {"x": 1, "colour": "red"}),
        (np.float64(1.5), 1.5),
        (np.int64(2), 2),
        (np.bool_(True), True),
        (np.str_("text"), "text"),
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        ([np.array(3)], [3]),
    ],
)
def test_unambiguous_values_are_converted(value, expected):
    converted = to_json(value, "x")
    assert converted == expected
    assert type(converted) is type(expected)


class Odd:
    pass


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (Odd(), "x is a Odd"),
        ([0, {"a": Odd()}], "x[1].a is a Odd"),
        (b"bytes", "x is a bytes"),
        ({1: 2}, "its key 1 is no text"),
        (np.array([1 + 2j]), "x[0] is a complex"),
        (np.array([Odd()]), "x[0] is a Odd"),
        (lambda: 1, "x is a function"),
    ],
)
def test_anything_else_is_refused_with_its_place(value, place):
    with pytest.raises(ValueNotStorableError) as caught:
        to_json(value, "x")
    assert place in str(caught.value)
    assert "pickled('x')" in str(caught.value)


def test_a_value_without_end_is_refused():
    endless: list = []
    endless.append(endless)
    with pytest.raises(ValueNotStorableError, match="nested too deeply"):
        to_json(endless, "x")


def test_an_integer_that_json_readers_refuse_is_refused():
    with pytest.raises(ValueNotStorableError, match="digits"):
        to_json([10**5000], "x")
