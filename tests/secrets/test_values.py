"""Secrets are masked in values of every type; values without them stay as they are."""

import collections
import dataclasses
import enum
import types
from pathlib import Path
from typing import NamedTuple

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable.secrets import Masker

SECRET = "correct-horse-staple"


class Point(NamedTuple):
    x: object
    y: object


class Model(pydantic.BaseModel):
    text: str
    inner: "Model | None" = None


@dataclasses.dataclass(frozen=True)
class Data:
    text: str
    number: int = 1


class Colour(enum.StrEnum):
    RED = SECRET


class Unknown:
    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return f"Unknown({self.text})"


def cyclic(text):
    items = [text]
    items.append(items)
    return items


KINDS = {
    "text": str,
    "key": lambda it: {it: 1},
    "value": lambda it: {"a": {1: [it]}},
    "tuple": lambda it: (it, 1),
    "named tuple": lambda it: Point(it, 1),
    "set": lambda it: {it},
    "frozen set": lambda it: frozenset([it]),
    "deque": lambda it: collections.deque([it]),
    "mapping proxy": lambda it: types.MappingProxyType({"a": it}),
    "ordered": lambda it: collections.OrderedDict(a=it),
    "model": lambda it: Model(text="a", inner=Model(text=it)),
    "data class": lambda it: Data(it),
    "bytes": lambda it: it.encode(),
    "byte array": lambda it: bytearray(it.encode()),
    "view": lambda it: memoryview(it.encode()),
    "exception": lambda it: ValueError(it),
    "path": Path,
    "object": Unknown,
    "cycle": cyclic,
}


@pytest.fixture
def masker():
    masker = Masker()
    masker.add([SECRET])
    return masker


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_secret_is_masked_in_a_value_of_any_type(kind, masker):
    masked = masker.value(kind(SECRET))
    assert SECRET not in repr(masked)
    assert SECRET not in str(masked)
    assert SECRET.encode() not in (masked if isinstance(masked, bytes) else b"")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_value_without_secrets_is_the_same_object(kind, masker):
    value = kind("harmless")
    assert masker.value(value) is value


def test_containers_keep_their_types(masker):
    assert masker.value(Point(SECRET, 2)) == Point("***", 2)
    assert masker.value(Data(SECRET)) == Data("***")
    assert masker.value(Model(text=SECRET)) == Model(text="***")
    assert masker.value(collections.deque([SECRET])) == collections.deque(["***"])


def test_the_value_that_was_given_is_not_changed(masker):
    given_value = {"a": [Model(text=SECRET)]}
    masker.value(given_value)
    assert given_value["a"][0].text == SECRET


@given(st.recursive(st.none() | st.floats() | st.integers() | st.binary(), st.lists))
def test_nothing_is_raised(value):
    masker = Masker()
    masker.add([SECRET])
    assert masker.value(value) is value


def test_numbers_of_a_secret_of_digits(masker):
    masker.add(["12345678"])
    assert masker.value([12345678, 1234567]) == ["***", 1234567]
    assert masker.value(10**5000) == 10**5000
