"""One owner of a run in this process, whatever store object leads to it."""

import pytest

from runnable.concurrency import Heartbeats
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.engine.leases import RunLease
from runnable.exceptions import RetryValidationError


@pytest.fixture
def store(tmp_path):
    return FileSystemRunLogStore(log_folder=str(tmp_path))


def test_a_second_exclusive_lease_is_refused_until_the_first_one_ends(store, tmp_path):
    other = FileSystemRunLogStore(log_folder=str(tmp_path))
    with RunLease(store, Heartbeats(), "r1", exclusive=True):
        with pytest.raises(RetryValidationError, match="active in this process"):
            RunLease(other, Heartbeats(), "r1", exclusive=True)
        with RunLease(store, Heartbeats(), "r2", exclusive=True):
            pass
    with RunLease(other, Heartbeats(), "r1", exclusive=True):
        pass


def test_a_lease_that_did_not_claim_the_run_does_not_release_it(store):
    with RunLease(store, Heartbeats(), "r1"):
        with RunLease(store, Heartbeats(), "r1"):
            pass
        with pytest.raises(RetryValidationError):
            RunLease(store, Heartbeats(), "r1", exclusive=True)


def test_an_error_within_the_block_releases_the_run(store):
    with pytest.raises(LookupError), RunLease(store, Heartbeats(), "r1"):
        raise LookupError
    with RunLease(store, Heartbeats(), "r1", exclusive=True):
        pass
