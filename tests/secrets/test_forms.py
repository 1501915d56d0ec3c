"""Every form that the page on secrets promises is masked, also broken into lines."""

import base64
import html
import json
import textwrap
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runnable.secrets import Masker

SECRET = "s3cr3t/ключ+\"quoted\"&'more'<tag>"
LOWER = str.maketrans("ABCDEF", "abcdef")


def in_url(text):
    """Percent-encode in lower case."""
    quoted = quote(text, safe="")
    pieces = quoted.split("%")
    return pieces[0] + "".join(
        f"%{it[:2].translate(LOWER)}{it[2:]}" for it in pieces[1:]
    )


FORMS = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON with letters": lambda it: json.dumps(it, ensure_ascii=False),
    "JSON within JSON": lambda it: json.dumps({"a": json.dumps([it])}),
    "repr": repr,
    "repr of repr": lambda it: repr(repr(it)),
    "repr of bytes": lambda it: repr(it.encode()),
    "HTML": html.escape,
    "HTML of markupsafe": lambda it: (
        html.escape(it, quote=False).replace('"', "&#34;").replace("'", "&#39;")
    ),
    "URL": lambda it: quote(it, safe=""),
    "URL with slashes": quote,
    "form": quote_plus,
    "URL in lower case": in_url,
    "URL twice": lambda it: quote(quote(it, safe=""), safe=""),
    "base64": lambda it: base64.b64encode(it.encode()).decode(),
    "base64 of a URL": lambda it: base64.urlsafe_b64encode(it.encode()).decode(),
    "base64 in 76 columns": lambda it: base64.encodebytes(
        b"x" * 40 + it.encode() + b"y" * 40
    ).decode(),
    "hex": lambda it: it.encode().hex(),
    "HEX": lambda it: it.encode().hex().upper(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_is_masked(form):
    masker = Masker()
    masker.add([SECRET])
    masked = masker.text(f"before {form(SECRET)} after")
    assert "***" in masked
    for piece in (form(SECRET)[4:14], form(SECRET)[8:20]):
        if "\n" not in form(SECRET):  # else, these are letters of its neighbours
            assert piece not in masked


@pytest.mark.parametrize("width", [7, 20, 60])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n    "])
def test_text_broken_into_lines_is_masked(width, newline):
    masker = Masker()
    secret = "abcdefghijklmnopqrstuvwxyz0123456789"
    masker.add([secret])
    for before in range(0, 9, 4):
        text = newline.join(textwrap.wrap(before * "-" + secret + "--", width))
        masked = masker.text(text)
        assert "***" in masked
        assert not {secret[at : at + 7] for at in range(29)} & set(masked.split())


LETTERS = st.characters(min_codepoint=33, max_codepoint=1000, categories=["L", "N"])


@given(
    st.text(LETTERS, min_size=20, max_size=60),
    st.integers(8, 19),
    st.lists(st.integers(1, 9)),
)
@settings(deadline=None)
@example("abcdefghijklmnopqrstuvwxyz", 13, [3])
@example("9" * 30, 8, [2, 7, 1, 5, 4, 8, 5, 5, 1, 1, 1, 4])
def test_a_wrapped_secret_is_masked_although_it_comes_in_pieces(secret, at, sizes):
    masker = Masker()
    masker.add([secret])
    text = f"before {secret[:at]}\n{secret[at:]} after\n"
    passed, held = "", ""
    for size in [*sizes, len(text)]:
        piece, text = text[:size], text[size:]
        certain, held = masker.split(held + piece)
        passed += certain
    passed += masker.text(held)
    assert secret not in passed.replace("\n", "")
    assert "***" in passed


@pytest.mark.parametrize("mark", ["...", "\N{HORIZONTAL ELLIPSIS}"])
def test_the_beginning_of_a_secret_that_was_cut_is_masked(mark):
    masker = Masker()
    masker.add(["correct-horse-staple"])
    assert masker.text(f"'correct-hor{mark} is no int") == f"'***{mark} is no int"
    assert masker.text(f"we correct{mark}") == f"we ***{mark}"
    assert masker.text(f"so co{mark}") == f"so co{mark}"
