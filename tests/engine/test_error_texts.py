"""Texts of errors, as records have them."""

import pytest

from runnable.engine.error_texts import short_text, type_and_text
from runnable.secrets import Masker

SECRET = "s3cr3t-value"


@pytest.mark.parametrize("before", range(0, 40, 3))
def test_a_secret_is_masked_before_a_text_is_cut(before):
    masker = Masker()
    masker.add([SECRET])
    text = short_text("a" * before + SECRET + "b" * 100, masker, 20)
    assert not any(SECRET[:n] in text for n in range(4, len(SECRET)))
    assert text.endswith("b" * 10)


def test_a_short_text_stays_as_it_is():
    assert short_text("a" * 20, Masker(), 20) == "a" * 20


def test_notes_of_an_error_do_not_belong_to_its_text():
    error = ValueError("wrong")
    error.add_note("one line\nanother one")
    assert type_and_text(error) == "ValueError: wrong"
    assert type_and_text(None) == ""
