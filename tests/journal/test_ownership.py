"""Records name the processes that have a run, until they release it."""

import pytest

from runnable.journal import (
    Heartbeat,
    Owner,
    RunDeleting,
    RunFinished,
    RunResumed,
    RunStarted,
    RunState,
    StepClaimed,
    StepReleased,
)

START = RunStarted("", "r1", "", "", {}, {}, [], "h", 1, "", 5.0)
CLAIM = StepClaimed("", "s", "h", 2, "", 7.0)
RELEASE = StepReleased("", "s", "h", 2, "")
FIRST, SECOND, THIRD = (Owner("h", number, "") for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("records", "owners"),
    [
        ([START, CLAIM, CLAIM], [FIRST, SECOND, SECOND]),
        ([START, CLAIM, CLAIM, RELEASE], [FIRST, SECOND]),
        ([START, CLAIM, RunFinished("", "FAIL"), CLAIM], [SECOND]),
        ([START, CLAIM, RunResumed("", [], "h", 3)], [THIRD]),
        ([START, RELEASE], [FIRST]),
    ],
)
def test_a_claim_is_valid_until_it_is_released(records, owners):
    assert [it.owner for it in RunState(records).ownership.claims] == owners


def test_a_heartbeat_is_a_sign_of_life():
    ownership = RunState([START, Heartbeat("", 100.0)]).ownership
    assert ownership.last_heartbeat == 100.0
    assert [it.owner for it in ownership.claims] == [FIRST]


def test_a_claim_is_no_sign_of_life_of_others():
    assert RunState([START, CLAIM]).ownership.last_heartbeat == 5.0


def test_a_deletion_takes_the_run_over():
    ownership = RunState([START, RunDeleting("", "h", 3, "", 9.0)]).ownership
    assert ownership.is_deleting
    assert [it.owner for it in ownership.claims] == [THIRD]
