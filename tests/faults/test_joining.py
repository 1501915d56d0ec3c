"""Many processes write to one run: no record is lost."""

import itertools

import joining
import killing
import postgres
import pytest
import s3

from containers.plugins import Plugins
from runnable.datastore import RunStarted

PROCESSES = 8
COUNTS = {"file-system": 1000, "sqlite": 300, "postgres": 300, "s3": 20}
"""Of a bucket fewer, since its server here answers one request after the other."""
START = RunStarted("2026-01-31 10:00:00.000000", "r1", "", "h", {}, {}, [])
WHY_NOT = {"postgres": postgres.why_not, "s3": s3.why_not}


@pytest.mark.parametrize("kind", killing.STORES)
def test_none_of_the_records_is_lost(kind, tmp_path):
    if reason := WHY_NOT.get(kind, str)():
        pytest.skip(reason)
    count = COUNTS[kind]
    with killing.service(kind, tmp_path) as service:
        store = Plugins().make_service("run_log_store", service)
        owner = store.create("r1", START)
        joining.write_at_once(service, "r1", PROCESSES, count)
        first, *records = store.read("r1")
        owner.close()
        store.close()
    assert first == START
    names = [record.path for record in records]
    assert len(names) == PROCESSES * count
    for process in range(PROCESSES):
        mine = [name for name in names if name.startswith(f"{process}-")]
        assert mine == [f"{process}-{number}" for number in range(count)]
    turns = sum(a[0] != b[0] for a, b in itertools.pairwise(names))
    print(f"{kind}: {turns} turns")
