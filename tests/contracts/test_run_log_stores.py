"""What every run log store promises, whatever it keeps run logs in."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import s3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runnable.datastore import (
    JsonParameter,
    MetricParameter,
    RunDeleting,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
)
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.datastore.memory import MemoryRunLogStore
from runnable.datastore.object_store import S3RunLogStore
from runnable.datastore.saved_state import dump_state
from runnable.datastore.sql import PostgresRunLogStore, SqliteRunLogStore
from runnable.exceptions import (
    DefinitionError,
    RunLogContinuedError,
    RunLogExistsError,
    RunLogNotFoundError,
    StoreError,
)

RECORDS = [
    RunStarted(
        at="2026-01-31 10:00:00.000000",
        run_id="r1",
        tag="t",
        dag_hash="h",
        parameters={"x": JsonParameter(value=1)},
        run_config={"retry_indicator": "2"},
        code=[],
    ),
    StepStarted(at="2026-01-31 10:00:01.000000", path="a", name="a", step_type="task"),
    StepFinished(
        read=("x",),
        at="2026-01-31 10:00:02.000000",
        path="a",
        status="SUCCESS",
        outputs={"y": MetricParameter(value=2)},
        files=[],
    ),
    RunFinished(at="2026-01-31 10:00:03.000000", status="SUCCESS"),
]


@pytest.fixture
def postgres_store(postgres_url):
    store = PostgresRunLogStore(url=postgres_url)
    for run_id in store.list_run_ids():
        store.remove(run_id)
    yield store
    store.close()


@pytest.fixture
def sqlite_store(tmp_path):
    store = SqliteRunLogStore(location=str(tmp_path / "logs" / "runs.sqlite"))
    yield store
    store.close()


@pytest.fixture(
    params=[
        *("memory", "none", "process", "disk", "sqlite", "postgres", "s3"),
        "seaweedfs",
    ]
)
def store(request, tmp_path):
    if request.param == "memory":
        return MemoryRunLogStore()
    if request.param in {"s3", "seaweedfs"}:
        return S3RunLogStore(
            bucket=f"runs/{uuid.uuid4().hex}",
            endpoint_url=request.getfixturevalue(f"{request.param}_url"),
            **s3.KEYS,
        )
    if request.param == "postgres":
        return request.getfixturevalue("postgres_store")
    if request.param == "sqlite":
        return request.getfixturevalue("sqlite_store")
    return FileSystemRunLogStore(
        log_folder=str(tmp_path / "logs"), durability=request.param
    )


def test_only_a_reader_of_all_records_may_continue_a_journal(store):
    write(store)
    first = RunResumed(at="2026-01-31 11:00:00.000000", code=[], host="h")
    with pytest.raises(RunLogNotFoundError):
        store.reopen("nobody", first, 0)
    for seen in (0, len(RECORDS) - 1, len(RECORDS) + 1):
        with pytest.raises(RunLogContinuedError):
            store.reopen("r1", first, seen)
    assert list(store.read("r1")) == RECORDS
    journal = store.reopen("r1", first, len(RECORDS))
    with pytest.raises(RunLogContinuedError):
        store.reopen("r1", first, len(RECORDS))
    journal.append(RECORDS[-1])
    journal.close()
    assert list(store.read("r1")) == [*RECORDS, first, RECORDS[-1]]
    assert store.list_run_ids() == ["r1"]


def ended(number, status="SUCCESS", **changes):
    at = f"2026-01-31 10:{number:02}:00.000000"
    end = RunFinished(at, status, {"score": number}, at, f"t{number}", "daily")
    return RECORDS[0]._replace(at=at), end._replace(**changes)


def test_a_list_of_many_runs_is_that_of_each(store):
    for number in range(55):
        # Some are too long for a name; some are of earlier versions.
        changes = {"tag": "long" * 200} if number % 10 == 1 else {}
        changes |= {"started_at": ""} if number % 10 == 2 else {}
        first, end = ended(number, "FAIL" if number % 3 else "SUCCESS", **changes)
        journal = store.create(f"r{number}", first)
        if number % 10 != 3:
            journal.append(RECORDS[1], end)
        journal.close()
    again = RunResumed(at="2026-01-31 11:00:00.000000", code=[], host="h")
    store.reopen("r4", again, 3).close()
    if store.service_name != "memory":
        store.join("r5").close()
    store.remove("r6")
    listed = store.list_runs()
    assert listed == [
        store.summary(f"r{number}") for number in range(54, -1, -1) if number != 6
    ]
    found = {run.run_id: run for run in listed}
    assert (found["r7"].tag, found["r7"].pipeline, found["r7"].metrics) == (
        *("t7", "daily"),
        {"score": 7},
    )
    assert found["r0"].status == "SUCCESS"
    assert found["r8"].status == "FAIL"
    assert found["r11"].tag == "long" * 200
    assert found["r4"].status == "PROCESSING"
    assert {*found} <= {*store.list_run_ids()}


def test_a_run_that_was_resumed_is_listed_as_it_ended_then(store):
    first, end = ended(1, "FAIL")
    for number in range(51):
        journal = store.create(f"r{number}", first)
        journal.append(end)
        journal.close()
    again = RunResumed(at="2026-01-31 11:00:00.000000", code=[], host="h")
    journal = store.reopen("r1", again, 2)
    journal.append(end._replace(status="SUCCESS"))
    journal.close()
    assert [it.run_id for it in store.list_runs() if it.status == "SUCCESS"] == ["r1"]


def test_an_owner_that_was_replaced_cannot_write(store, request):
    gone = store.create("r1", RECORDS[0])
    if "none" in request.node.name or isinstance(store, MemoryRunLogStore):
        pytest.skip("nothing is written before its end, or nobody else can go on")
    first = RunResumed(at="2026-01-31 11:00:00.000000", code=[], host="h")
    journal = store.reopen("r1", first, 1)
    with pytest.raises(RunLogContinuedError):
        gone.append(RECORDS[1])
    journal.append(RECORDS[1])
    journal.close()
    assert list(store.read("r1")) == [RECORDS[0], first, RECORDS[1]]


def test_of_many_that_continue_at_once_exactly_one_does(store):
    write(store)
    gate = threading.Barrier(8)

    def reopen(number):
        gate.wait(60)
        try:
            store.reopen(
                "r1", RunResumed(at="", code=[], process_id=number), len(RECORDS)
            ).close()
        except RunLogContinuedError:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(reopen, range(8))) == 1
    assert len(list(store.read("r1"))) == len(RECORDS) + 1


def step(name):
    return StepStarted(at="", path=name, name=name, step_type="stub")


def test_a_run_is_joined_by_another_writer(store):
    with pytest.raises(RunLogNotFoundError):
        store.join("r1")
    owner = store.create("r1", RECORDS[0])
    joined = [store.join("r1"), store.join("r1")]
    names = [f"s{number}" for number in range(9)]
    for number, name in enumerate(names):
        [owner, *joined][number % 3].append(step(name))
    for journal in (owner, *joined):
        journal.close()
    records = list(store.read("r1"))
    if getattr(store, "durability", "") == "none":  # written at the end, each in order
        records.sort(key=lambda record: getattr(record, "path", ""))
    assert records == [RECORDS[0], *map(step, names)]


def test_a_process_that_joined_before_a_resume_cannot_write(store):
    write(store, records=RECORDS[:1])
    joined = store.join("r1")
    if isinstance(store, MemoryRunLogStore):
        pytest.skip("nobody else can go on")
    first = RunResumed(at="2026-01-31 11:00:00.000000", code=[], host="h")
    owner = store.reopen("r1", first, 1)
    with pytest.raises(RunLogContinuedError):
        joined.append(RECORDS[1])
        joined.close()
    again = store.join("r1")
    again.append(RECORDS[2])
    again.close()
    owner.append(RECORDS[3])
    owner.close()
    assert list(store.read("r1")) == [RECORDS[0], first, *RECORDS[2:]]


def test_writing_to_a_deleted_run_is_refused(store):
    write(store)
    joined = store.join("r1")
    store.remove("r1")
    with pytest.raises(StoreError):
        joined.append(RECORDS[1])
        joined.close()
    assert store.list_runs() == []
    write(store)
    assert list(store.read("r1")) == RECORDS


def test_a_writer_does_not_write_to_a_later_run_of_the_same_id(store):
    write(store)
    joined = store.join("r1")
    store.remove("r1")
    later = store.create("r1", RECORDS[0])
    with pytest.raises((RunLogNotFoundError, RunLogContinuedError)):
        joined.append(RECORDS[1])
        joined.close()
    later.append(RECORDS[1])
    later.close()
    assert list(store.read("r1")) == RECORDS[:2]


def test_a_run_whose_deletion_started_accepts_no_writer(store):
    write(store, records=RECORDS[:1])
    joined = store.join("r1")
    deletion = RunDeleting("2026-01-31 11:00:00.000000", "h", 1, "", 0.0)
    store.reopen("r1", deletion, 1).close()
    if not isinstance(store, MemoryRunLogStore):
        with pytest.raises(RunLogContinuedError):
            joined.append(RECORDS[1])
            joined.close()
    with pytest.raises(RunLogContinuedError):
        store.reopen("r1", deletion, 1)
    [listed] = store.list_runs()
    assert (listed.status, listed.started_at) == ("DAMAGED", RECORDS[0].at)
    assert "its deletion started" in listed.problem
    store.remove("r1")
    assert store.list_runs() == []


def write(store, run_id="r1", records=RECORDS):
    first, *others = records
    journal = store.create(run_id, first)
    for record in others:
        journal.append(record)
    journal.close()


def test_records_that_are_written_together(store):
    owner = store.create("r1", RECORDS[0])
    joined = store.join("r1")
    owner.append(*map(step, "abc"))
    joined.append(*map(step, "de"))
    owner.append(step("f"))
    owner.close()
    joined.close()
    records = list(store.read("r1"))
    if getattr(store, "durability", "") == "none":  # written at the end, each in order
        records.sort(key=lambda record: getattr(record, "path", ""))
    assert records == [RECORDS[0], *map(step, "abcdef")]
    for after in range(8):
        assert list(store.read("r1", after)) == list(store.read("r1"))[after:]
    first = RunResumed(at="2026-01-31 11:00:00.000000", code=[], host="h")
    if not isinstance(store, MemoryRunLogStore):
        with pytest.raises(RunLogContinuedError):
            store.reopen("r1", first, 6)
        store.reopen("r1", first, 7).close()
    assert [run.status for run in store.list_runs()] == ["PROCESSING"]


def test_records_come_back_in_order(store):
    write(store)
    assert list(store.read("r1")) == RECORDS


@pytest.mark.parametrize("after", range(6))
def test_records_are_read_after_a_number(store, after):
    write(store)
    assert list(store.read("r1", after)) == RECORDS[after:]
    if not isinstance(store, MemoryRunLogStore):
        first = RunResumed(at="2026-01-31 11:00:00.000000", code=[], host="h")
        store.reopen("r1", first, len(RECORDS)).close()
        assert list(store.read("r1", after)) == [*RECORDS, first][after:]


def test_a_run_exists_with_its_first_record_or_not_at_all(store):
    store.create("r1", RECORDS[0])
    assert list(store.read("r1")) == RECORDS[:1]
    assert [run.status for run in store.list_runs()] == ["PROCESSING"]


def test_a_run_log_is_the_fold_of_its_records(store):
    write(store)
    run_log = store.get_run_log_by_id("r1", full=True)
    assert (run_log.status, run_log.tag, run_log.dag_hash) == ("SUCCESS", "t", "h")
    assert {name: it.value for name, it in run_log.parameters.items()} == {
        "x": 1,
        "y": 2,
    }
    (attempt,) = run_log.steps["a"].attempts
    assert list(attempt.input_parameters) == ["x"]
    assert list(attempt.user_defined_metrics) == ["y"]
    assert attempt.retry_indicator == "2"
    assert attempt.duration.total_seconds() == 1


@pytest.mark.parametrize("count", range(1, 5))
def test_any_prefix_of_the_records_is_a_run_log(store, count):
    write(store, records=RECORDS[:count])
    run_log = store.get_run_log_by_id("r1")
    expected = ["CREATED", "PROCESSING", "PROCESSING", "PROCESSING", "SUCCESS"]
    assert run_log.status == expected[count]


def test_a_finished_run_can_be_read_by_people(store):
    write(store)
    run_log = store.get_run_log_by_id("r1")
    store.finish(run_log)
    assert store.get_run_log_by_id("r1") == run_log
    assert store.list_run_ids() == ["r1"]


def test_a_run_id_is_used_once(store):
    write(store)
    with pytest.raises(RunLogExistsError):
        store.create("r1", RECORDS[0])


def test_of_many_that_create_a_run_at_once_one_succeeds(store):
    barrier = threading.Barrier(8)
    outcomes = []

    def create():
        barrier.wait()
        try:
            store.create("r1", RECORDS[0]).close()
            outcomes.append("created")
        except RunLogExistsError:
            outcomes.append("exists")

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["created"] + ["exists"] * 7


def test_threads_write_to_one_run(store):
    journal = store.create("r1", RECORDS[0])

    def write_many(name):
        for number in range(200):
            journal.append(
                StepStarted(at="", path=f"{name}-{number}", name=name, step_type="stub")
            )

    threads = [threading.Thread(target=write_many, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert len(store.get_run_log_by_id("r1").steps) == 1600


def test_an_unknown_run(store):
    with pytest.raises(RunLogNotFoundError):
        store.get_run_log_by_id("nope")
    assert store.list_runs() == []


def test_a_run_id_that_leads_elsewhere(store):
    if isinstance(store, MemoryRunLogStore):
        pytest.skip("a key of a dictionary leads nowhere")
    with pytest.raises(DefinitionError):
        store.create("../r1", RECORDS[0])
    with pytest.raises(DefinitionError):
        store.get_run_log_by_id("../r1")


def test_the_summary_has_the_location(store):
    assert set(store.get_summary()) == {"Type", "Location"}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(run_ids=st.sets(st.from_regex(r"[a-z0-9][a-z0-9._ -]{0,20}", fullmatch=True)))
def test_run_ids_are_listed_as_they_are(run_ids, tmp_path_factory):
    store = FileSystemRunLogStore(log_folder=str(tmp_path_factory.mktemp("logs")))
    for run_id in run_ids:
        write(store, run_id)
    assert set(store.list_run_ids()) == run_ids


def test_a_saved_state_equals_that_of_its_records(store):
    write(store)
    state = store.state("r1")
    store.save_state("r1", dump_state(state))
    again = store.state("r1")
    assert (again.status, again.count) == (state.status, state.count)
    assert again.root.parameters == state.root.parameters
    if not isinstance(store, MemoryRunLogStore):
        assert again.saved_count == len(RECORDS)
        first = RunResumed(at="2026-01-31 11:00:00.000000", code=[], host="h")
        store.reopen("r1", first, len(RECORDS)).close()
        assert store.state("r1").status == "PROCESSING"
    store.remove("r1")
    assert store.list_runs() == []


@pytest.mark.parametrize("content", [b"", b"rubbish", b"00000000{}"])
def test_a_saved_state_that_is_damaged_is_not_used(store, content):
    write(store)
    store.save_state("r1", content)
    assert store.state("r1").status == "SUCCESS"


def test_a_saved_state_of_an_earlier_run_of_this_id_is_not_used(store):
    write(store, records=RECORDS[:3])
    content = dump_state(store.state("r1"))
    store.remove("r1")
    other = RECORDS[0]._replace(host="another")
    write(store, records=[other])
    store.save_state("r1", content)
    assert store.state("r1").count == 1
