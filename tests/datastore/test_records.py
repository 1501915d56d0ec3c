"""A record is one line: it comes back as it was, or is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable.datastore import (
    DataCatalog,
    JsonParameter,
    MetricParameter,
    ObjectParameter,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from runnable.datastore.codec import DamagedLineError, decode, encode

any_text = st.text(st.characters(codec=None), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | any_text,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(any_text, inner, max_size=4)
    ),
    max_leaves=10,
)
parameters = st.dictionaries(
    any_text,
    st.builds(JsonParameter.model_construct, value=json_values)
    | st.builds(MetricParameter.model_construct, value=json_values)
    | st.builds(
        ObjectParameter,
        value=st.text(max_size=5),
        key=st.text(max_size=5),
        size_bytes=st.integers(0, 2**70),
    ),
    max_size=4,
)
texts = st.dictionaries(any_text, any_text, max_size=2)
records = st.one_of(
    st.builds(
        RunStarted,
        at=any_text,
        run_id=any_text,
        tag=any_text,
        dag_hash=any_text,
        parameters=parameters,
        run_config=st.dictionaries(any_text, json_values, max_size=3),
        code=st.just([]),
        host=any_text,
        process_id=st.integers(0),
        epoch_seconds=st.floats(allow_nan=False),
        tags=texts,
        notes=texts,
    ),
    st.builds(
        StepStarted, at=any_text, path=any_text, name=any_text, step_type=any_text
    ),
    st.builds(
        StepFinished,
        at=any_text,
        path=any_text,
        status=any_text,
        outputs=parameters,
        files=st.lists(st.builds(DataCatalog, name=st.text(max_size=5)), max_size=2),
        message=any_text,
        traceback=any_text,
        read=st.lists(any_text, max_size=2).map(tuple),
        masked=st.lists(any_text, max_size=2).map(tuple),
        secrets=st.lists(any_text, max_size=2).map(tuple),
    ),
    st.builds(
        RunFinished,
        at=any_text,
        status=any_text,
        metrics=st.dictionaries(any_text, json_values, max_size=2),
        tags=texts,
    ),
)


@given(records)
def test_round_trip(record):
    line = encode(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    again = decode(line)
    assert type(again) is type(record)
    assert again == record


@given(records, st.data())
def test_any_flipped_bit_is_detected(record, data):
    line = encode(record)
    place = data.draw(st.integers(0, len(line) * 8 - 1))
    changed = bytearray(line)
    changed[place // 8] ^= 1 << place % 8
    with pytest.raises(DamagedLineError):
        decode(bytes(changed))


@given(records, st.data())
def test_any_cut_line_is_detected(record, data):
    line = encode(record)
    with pytest.raises(DamagedLineError):
        decode(line[: data.draw(st.integers(0, len(line) - 1))])


def test_a_line_is_json_for_everybody_else():
    line = json.loads(encode(RunFinished(at="now", status="SUCCESS")))
    expected = {"kind": "run_finished", "at": "now", "status": "SUCCESS", "metrics": {}}
    assert line["record"] == {
        **expected,
        "started_at": "",
        "tag": "",
        "pipeline": "",
        "tags": {},
    }


def test_not_a_number_survives():
    record = StepFinished(
        at="",
        path="s",
        status="SUCCESS",
        outputs={"x": JsonParameter(value=[float("nan"), float("inf")])},
        files=[],
    )
    values = decode(encode(record)).outputs["x"].value
    assert [repr(value) for value in values] == ["nan", "inf"]


def damaged(content: dict) -> bytes:
    import zlib

    body = json.dumps(content, separators=(",", ":")).encode()
    return b'{"crc32":"%08x","record":%b}\n' % (zlib.crc32(body), body)


def test_a_newer_kind_of_record_is_refused():
    with pytest.raises(DamagedLineError, match="newer version"):
        decode(damaged({"kind": "from_the_future"}))


def test_a_newer_field_is_left_out_and_a_missing_one_is_noticed():
    line = damaged({"kind": "run_finished", "at": "", "status": "FAIL", "new": 1})
    assert decode(line) == RunFinished(at="", status="FAIL")
    with pytest.raises(DamagedLineError, match="missing"):
        decode(damaged({"kind": "run_finished", "at": ""}))
