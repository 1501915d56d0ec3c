"""Parameters of records: JSON, metrics and stored objects."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable.journal import JsonParameter, StoredObject
from runnable.journal.parameters import MetricParameter

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON, st.sampled_from([JsonParameter, MetricParameter]))
def test_a_value_is_kept_as_it_is(value, kind):
    parameter = kind(value=value)
    assert parameter.get_value() == value
    assert kind.model_validate(parameter.model_dump()) == parameter


@given(st.text())
def test_the_description_of_a_text_is_short(value):
    described = JsonParameter(value=value).description
    assert described == (value if len(value) <= 10 else value[:10] + "...")


def test_an_object_needs_a_loader_which_is_not_pickled():
    stored = StoredObject(value="model", key="a/model.pickle", sha256="0" * 64)
    with pytest.raises(RuntimeError, match="no loader"):
        stored.get_value()
    stored.bind(lambda parameter: parameter.key.upper())
    assert stored.get_value() == "A/MODEL.PICKLE"
    copied = pickle.loads(pickle.dumps(stored))
    assert copied == StoredObject(value="model", key="a/model.pickle", sha256="0" * 64)
    with pytest.raises(RuntimeError, match="no loader"):
        copied.get_value()


def test_the_description_of_an_object_names_its_key():
    assert "a/model.pickle" in StoredObject(value="m", key="a/model.pickle").description
    assert "only-a-name" in StoredObject(value="only-a-name").description
