"""Values in events of 0.50's queue are cut to a number of bytes."""

from hypothesis import given
from hypothesis import strategies as st

from runnable.sdk.stream_queue import truncate_value

values = st.text() | st.integers() | st.lists(st.text())


@given(values, st.integers(0, 300))
def test_no_more_bytes_are_kept_the_mark_included(value, most):
    text = truncate_value(value, most)
    assert len(text.encode()) <= most


def test_the_length_of_a_cut_value():
    assert len(truncate_value("a" * 300, 20)) == 20
    assert len(truncate_value("a" * 300)) == 256
    assert truncate_value("a" * 300, 20) == '"' + "a" * 16 + "..."
    assert truncate_value("short", 20) == '"short"'
