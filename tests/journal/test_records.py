"""Records: frozen facts; each kind is applied by the state, and has a code."""

import typing

import pytest

from runnable.datastore.codec import decode, encode
from runnable.journal import RunState
from runnable.journal.parameters import JsonParameter
from runnable.journal.records import Record, RunStarted, StepFinished

KINDS = typing.get_args(Record)


def example(kind):
    """Make a record with plausible values by the names of its fields."""
    plain = {"parameters": {}, "run_config": {}, "code": [], "outputs": {}, "files": []}
    plain |= {"variables": {}, "process_id": 1, "epoch_seconds": 1.5, "attempt": 1}
    required = [it for it in kind._fields if it not in kind._field_defaults]
    return kind(**{name: plain.get(name, "x") for name in required})


@pytest.mark.parametrize("kind", KINDS, ids=lambda it: it.__name__)
def test_every_kind_is_applied_by_the_state_and_survives_its_code(kind):
    record = example(kind)
    assert kind in RunState._apply
    assert decode(encode(record)) == record


@pytest.mark.parametrize("kind", KINDS, ids=lambda it: it.__name__)
def test_a_record_never_changes(kind):
    with pytest.raises(AttributeError):
        example(kind).at = "later"


def test_parameters_keep_their_kinds():
    parameters = {"x": JsonParameter(value=[1, None, "a"])}
    started = RunStarted("now", "r1", "", "", parameters, {}, [])
    assert decode(encode(started)).parameters == parameters
    finished = StepFinished("now", "s", "SUCCESS", parameters, [])
    assert decode(encode(finished)).outputs == parameters
