"""Records in memory: each comes back as it was, whatever is done with it meanwhile."""

import enum
import threading

import pytest
from hypothesis import given

from runnable import PythonTask
from runnable.datastore import PackedRecords, RunStarted, StepFinished, StepStarted
from runnable.datastore.packed_records import pack, unpack
from runnable.graph.shared_json import SharedJson
from runnable.journal import json_parameter
from tests.datastore.test_records import records


def started(number):
    return StepStarted("now", f"s{number}", f"s{number}", "task", number)


def kept(count):
    made = PackedRecords()
    for number in range(count):
        made.append(started(number))
    return made


@given(records)
def test_round_trip(record):
    again = unpack(pack(record))
    assert again == record
    assert [type(it) for it in again] == [type(it) for it in record]


@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 1000])
def test_any_number_of_them_in_their_order(count):
    records = kept(count)
    assert len(records) == count
    for number in {0, 1, 255, 256, 257, 511, 512, count - 1, count, count + 1} - {-1}:
        paths = [record.path for record in records.after(number)]
        assert paths == [f"s{it}" for it in range(number, count)]


def test_several_at_once_are_added_across_a_block():
    records = kept(250)
    records.append(*map(started, range(250, 800)))
    assert [it.attempt for it in records.after(0)] == list(range(800))


def test_a_value_that_is_changed_later_does_not_change_its_record():
    values = [1, 2]
    record = StepFinished("now", "s", "SUCCESS", {"x": json_parameter(values)}, [])
    records = PackedRecords()
    records.append(record)
    values.append(3)
    (first,) = records.after(0)
    first.outputs["x"].value.append(4)
    (again,) = records.after(0)
    assert again.outputs["x"].value == [1, 2]


def test_values_that_are_no_plain_ones_are_kept_as_journals_keep_them():
    class Colour(enum.StrEnum):
        RED = "red"

    deep: list = []
    for _ in range(3000):
        deep = [deep]
    odd = StepFinished("now", "s", "SUCCESS", {"x": json_parameter(Colour.RED)}, [])
    assert unpack(pack(odd)).outputs["x"].value == "red"
    with pytest.raises(Exception, match=r"(?i)recursion|depth|nested"):
        pack(odd._replace(outputs={"x": json_parameter(deep)}))


def test_a_copy_does_not_grow():
    records = kept(300)
    copy = records.copy()
    records.append(*map(started, range(300, 700)))
    assert len(list(copy.after(0))) == len(copy) == 300


def test_descriptions_are_shared_and_each_reader_has_its_own():
    shared = SharedJson({"nodes": {"a": SharedJson({"name": "a"})}})
    config = {"dag": shared, "tag": "t"}
    first = RunStarted("now", "r1", "", "", {}, config, [])
    packed = [pack(first), pack(first._replace(run_id="r2"))]
    assert packed[0][1]["dag"] is packed[1][1]["dag"]
    again = unpack(packed[0])
    assert again.run_config == config
    again.run_config["dag"]["nodes"].clear()
    assert unpack(packed[1]).run_config == config


def test_what_a_reader_does_with_a_log_changes_no_later_run(in_memory):
    pipeline = PythonTask(name="s", function=lambda: 1).as_pipeline()
    first = pipeline.execute(services=in_memory)
    first.run_config["dag"]["nodes"].clear()
    first.run_config["environment"].clear()
    second = pipeline.execute(services=in_memory)
    assert list(second.run_config["dag"]["nodes"]) == ["s", "success", "fail"]
    assert second.run_config["environment"]["python"]


def test_threads_that_append_lose_nothing():
    records = PackedRecords()

    def work(number):
        for again in range(500):
            records.append(started(1000 * number + again))

    threads = [threading.Thread(target=work, args=(it,)) for it in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [record.attempt for record in records.after(0)]
    assert sorted(found) == sorted(1000 * n + it for n in range(8) for it in range(500))
    for number in range(8):
        own = [it for it in found if it // 1000 == number]
        assert own == sorted(own)
