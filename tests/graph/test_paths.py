"""Names of branches are parts of paths, each its own."""

from hypothesis import given
from hypothesis import strategies as st

from runnable.graph import BranchNames, join, parent


@given(st.lists(st.text() | st.sampled_from(["a", "a~2", "a~3", "", "~"])))
def test_any_texts_have_names_of_their_own(texts):
    names = BranchNames()
    given_names = [names.name(text) for text in texts]
    assert len(set(given_names)) == len(texts)
    for name in given_names:
        assert name
        assert len(name) <= 80 + len(f"~{len(texts)}")
        assert not set(name) & set("./\\\0\n")
        name.encode()
        assert parent(join("a.b", name)) == "a.b"


@given(st.lists(st.from_regex(r"[A-Za-z0-9_ -]{1,20}", fullmatch=True), unique=True))
def test_plain_names_stay_as_they_are(texts):
    names = BranchNames()
    assert [names.name(text) for text in texts] == texts


def test_many_equal_names_take_no_longer():
    names = BranchNames()
    made = [names.name("same") for _ in range(50_000)]
    assert made[-1] == "same~50000"
