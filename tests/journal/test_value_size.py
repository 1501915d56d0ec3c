"""How long the JSON of a value is, by an estimate."""

import json

from hypothesis import given
from hypothesis import strategies as st

from runnable.journal import JsonParameter, is_longer

LEAVES = st.none() | st.booleans() | st.integers(-999, 99_999) | st.text("abc")
VALUES = st.recursive(
    LEAVES, lambda it: st.lists(it) | st.dictionaries(st.text("abc"), it)
)


@given(VALUES)
def test_the_estimate_is_not_far_off(value):
    length = len(json.dumps(value))
    assert not is_longer(value, 8 * length)
    assert is_longer([value, "x" * length], length)


def test_it_stops_as_soon_as_it_knows():
    class Endless(list):
        def __getitem__(self, key):
            assert key.stop <= 100
            return super().__getitem__(key)

    assert is_longer(Endless([1] * 100_000), 99)


def test_descriptions_are_short():
    assert JsonParameter(value=[1, 2]).description == [1, 2]
    assert JsonParameter(value=[1] * 500).description == "a list of 500 items"
    assert JsonParameter(value={"a": "x" * 500}).description == "a mapping of 1 items"
    assert JsonParameter(value="x" * 500).description == "x" * 10 + "..."
    assert JsonParameter(value=1.5).description == 1.5
