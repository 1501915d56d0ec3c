"""kill -9 at random moments: nothing that was said to be complete is lost."""

import killing
import postgres
import pytest
import s3

TIMES = 30  # `make attack` tries more
PARTS = 2
WHY_NOT = {"postgres": postgres.why_not, "s3": s3.why_not}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("kind", killing.STORES)
def test_every_log_is_readable_and_nothing_complete_is_lost(kind, part, tmp_path):
    if reason := WHY_NOT.get(kind, str)():
        pytest.skip(reason)
    with killing.service(kind, tmp_path) as store:
        statuses = killing.kill_many(tmp_path, store, TIMES // PARTS, seed=part)
    # Some moments must have hit runs that were going on, or this shows nothing.
    assert statuses["PROCESSING"] > 0
