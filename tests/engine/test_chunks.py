"""How many branches a worker gets at once."""

from hypothesis import given
from hypothesis import strategies as st

from runnable.engine.chunks import MOST_IN_CHUNK, ChunkSize


def sizes(count, workers, seconds, most=MOST_IN_CHUNK):
    """Return the sizes of the chunks of branches that take some seconds each."""
    size, left, made = ChunkSize(count, workers, most), count, []
    while left:
        made.append(min(size.next(), left))
        left -= made[-1]
        size.took(made[-1], seconds * made[-1])
    return made


@given(
    st.integers(1, 20_000),
    st.integers(1, 64),
    st.floats(0, 10),
    st.integers(1, MOST_IN_CHUNK),
)
def test_all_are_handed_out_and_no_worker_gets_more_than_its_share(
    count, workers, seconds, most
):
    made = sizes(count, workers, seconds, most)
    assert sum(made) == count
    left = count
    for size in made:
        assert 1 <= size <= max(1, min(most, left // (2 * workers)))
        left -= size


def test_quick_branches_go_in_large_chunks():
    made = sizes(10_000, 2, 0.0001)
    assert max(made) == MOST_IN_CHUNK
    assert len(made) < 100


def test_slow_branches_go_one_by_one():
    assert set(sizes(100, 2, 1.0)) == {1}


def test_a_branch_that_becomes_slow_makes_chunks_smaller():
    size = ChunkSize(10_000, 2)
    size.next()
    size.took(1, 0.0001)
    quick = size.next()
    size.took(quick, 10.0)
    assert size.next() < quick
