"""The state of a run: however its records are applied, and wherever they are cut."""

import functools
import pickle

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_pipelines import PARAMETERS, drawn_pipelines

from runnable import ExecutionFailedError
from runnable.datastore.memory import MemoryRunLogStore
from runnable.journal import (
    BranchFinished,
    BranchStarted,
    JsonParameter,
    Retention,
    RunFinished,
    RunResumed,
    RunStarted,
    RunState,
    StepClaimed,
    StepFinished,
    StepStarted,
    UnknownPathError,
)

MANY = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
START = RunStarted("", "r1", "", "", {"x": JsonParameter(value=1)}, {}, [])
RESUMED = RunResumed("", [])


def started(path, kind="task", attempt=1):
    return StepStarted("", path, path.rpartition(".")[2], kind, attempt)


def finished(path, status="SUCCESS", attempt=1, **outputs):
    made = {name: JsonParameter(value=value) for name, value in outputs.items()}
    return StepFinished("", path, status, made, [], attempt, f"{path}: {status}")


def ran(path, status="SUCCESS", **outputs):
    return [started(path), finished(path, status, **outputs)]


def branch(path, *records, status="SUCCESS"):
    return [BranchStarted("", path, {}), *records, BranchFinished("", path, status)]


def records_of(pipeline):
    store = MemoryRunLogStore()
    services = {
        "run_log_store": store,
        "catalog": {"type": "do-nothing"},
        "pipeline_executor": {"type": "local", "parallelism": "none"},
    }
    try:
        run_id = pipeline.execute(parameters=PARAMETERS, services=services).run_id
    except ExecutionFailedError as failed:
        run_id = failed.run_id
    return list(store.read(run_id))


def described(state):
    """Everything that a state answers."""
    steps = state.steps_below("")
    return {
        "status": state.status,
        "count": state.count,
        "open": list(state.open),
        "claims": state.ownership.claims,
        "over": state.is_over,
        "steps": {
            it.path: (it.status, it.is_open, it.tries, it.started, it.open_inside)
            for it in steps
        },
        "visible": {path: state.visible(path) for it in steps for path in it.branches}
        | {"": state.visible("")},
    }


@MANY
@given(drawn_pipelines(), st.data())
def test_one_by_one_and_at_once_are_the_same(pipeline, data):
    records = records_of(pipeline)
    kept = data.draw(st.integers(1, len(records)))
    one_by_one = RunState()
    for record in records[:kept]:
        one_by_one.add(record)
    assert described(one_by_one) == described(RunState(records[:kept]))


@MANY
@given(drawn_pipelines(), st.data())
def test_forgotten_details_change_no_answer(pipeline, data):
    """A state in little memory answers the questions of a running run alike."""
    records = records_of(pipeline)
    kept = data.draw(st.integers(1, len(records)))
    whole = RunState(records[:kept])
    for retention in (Retention.PATH, Retention.LATEST):
        small = RunState(records[:kept], retention=retention)
        assert small.status == whole.status
        assert list(small.open) == list(whole.open)
        for path in ["", *(it for it in whole.open if it.count(".") % 2)]:
            assert small.visible(path) == whole.visible(path)
    steps = whole.steps_below("")
    if whole.root.status and all(it.status == "SUCCESS" for it in steps):
        # One step, and in each loop the one that ended its last iteration.
        small = RunState(records, retention=Retention.LATEST)
        deepest = max(it.path.count(".") // 2 for it in steps)
        assert len(small.steps_below("")) <= 1 + deepest


@MANY
@given(drawn_pipelines(), st.data())
def test_after_resuming_nothing_is_open_and_nothing_that_failed_counts(pipeline, data):
    records = records_of(pipeline)
    kept = data.draw(st.integers(1, len(records)))
    before = RunState(records[:kept])
    state = RunState([*records[:kept], RESUMED])
    assert state.status == "PROCESSING"
    assert not state.open
    assert not state.is_over
    for step in state.steps_below(""):
        was = before.step(step.path)
        assert (step.status == "SUCCESS") == (was.status == "SUCCESS")
        if step.status == "FAIL":
            assert before.status == "SUCCESS" or within_success(before, step.path)


def within_success(state, path):
    while "." in path:
        path = path.rpartition(".")[0]
        scope = state.scope(path)
        if scope is not None and scope.status == "SUCCESS":
            return True
    return False


def test_a_killed_run_and_a_failed_one_are_tried_again_alike():
    """What may be tried again does not depend on the last record of a run."""
    records = [START, *ran("a", x=2), *ran("b", "FAIL")]
    for end in ([], [RunFinished("", "FAIL")], [RunFinished("", "CANCELLED")]):
        state = RunState([*records, *end, RESUMED])
        assert (state.step("a").status, state.step("b").status) == ("SUCCESS", "")


def test_a_failure_that_a_branch_has_handled_stays():
    inner = [*ran("p.a.s", "FAIL"), *ran("p.a.handler")]
    records = [START, started("p", "parallel", 0), *branch("p.a", *inner)]
    state = RunState([*records, RESUMED])
    assert state.step("p.a.s").status == "FAIL"
    assert state.scope("p.a").status == "SUCCESS"


def test_a_branch_that_has_started_again_has_not_ended():
    """One failed branch, resumed, cut after it has started again."""
    left = branch("p.a", *ran("p.a.s"))
    right = branch("p.b", *ran("p.b.s", "FAIL"), status="FAIL")
    again = BranchStarted("", "p.b", {})
    records = [START, started("p", "parallel", 0), *left, *right, RESUMED]
    state = RunState([*records, started("p", "parallel", 0), again])
    assert state.status == "PROCESSING"
    assert state.scope("p.b").status == ""
    assert list(state.open) == ["p", "p.b"]
    assert not state.is_over


def test_a_claim_makes_a_failed_step_runnable_again():
    claim = StepClaimed("", "b", "h", 1, "", 0.0)
    state = RunState([START, *ran("a"), *ran("b", "FAIL"), claim])
    assert (state.step("a").status, state.step("b").status) == ("SUCCESS", "")


def test_parameters_of_an_abandoned_path_are_not_visible():
    """`a` failed, its handler set x; resumed, `a` succeeds and `b` follows."""
    edges = {
        "a": {"next_node": "b", "on_failure": "h"},
        "h": {"next_node": "c", "on_failure": ""},
        "b": {"next_node": "c", "on_failure": ""},
    }
    dag = {"start_at": "a", "nodes": edges}
    start = START._replace(run_config={"dag": dag})
    records = [start, *ran("a", "FAIL"), *ran("h", x=9), started("c"), RESUMED]
    state = RunState([*records, *ran("a", y=3), started("b")])
    assert {name: it.value for name, it in state.visible("").items()} == {
        "x": 1,
        "y": 3,
    }
    # Where `a` fails again, its handler has set x, and does not run again.
    state = RunState([*records, *ran("a", "FAIL"), started("c")])
    assert state.visible("")["x"].value == 9


def test_a_reused_handler_has_set_its_parameters_when_the_run_ends():
    """`a` fails again; its handler, reused without a record, is the end of the path."""
    edges = {
        "a": {"next_node": "success", "on_failure": "h"},
        "h": {"next_node": "success", "on_failure": ""},
        "success": {"node_type": "success"},
    }
    start = START._replace(run_config={"dag": {"start_at": "a", "nodes": edges}})
    records = [start, *ran("a", "FAIL"), *ran("h", x=9), RESUMED, *ran("a", "FAIL")]
    state = RunState([*records, RunFinished("", "SUCCESS")])
    assert state.visible("")["x"].value == 9


def test_a_second_end_changes_nothing():
    """Its process was interrupted after it had written the first one."""
    state = RunState([START, started("a"), finished("a", x=5)])
    state.add(finished("a", "CANCELLED"))
    assert state.step("a").status == "SUCCESS"
    assert state.visible("")["x"].value == 5
    for retention in Retention:
        records = [START, started("p", "parallel"), *branch("p.a", *ran("p.a.s"))]
        state = RunState(records, retention=retention)
        state.add(BranchFinished("", "p.a", "CANCELLED"))
        assert list(state.open) == ["p"]
    state = RunState([START, RunFinished("", "SUCCESS"), RunFinished("", "CANCELLED")])
    assert state.status == "SUCCESS"


@pytest.mark.parametrize(
    "record",
    [
        finished("a"),
        started("p.a.s"),
        BranchStarted("", "p.a", {}),
        BranchFinished("", "p.a", "SUCCESS"),
    ],
)
def test_a_record_about_an_unknown_path_changes_nothing(record):
    state = RunState([START])
    before = described(state)
    with pytest.raises(UnknownPathError):
        state.add(record)
    assert described(state) == before


@MANY
@given(drawn_pipelines(), st.data())
def test_an_excerpt_knows_a_branch_as_the_whole_does(pipeline, data):
    state = RunState(records_of(pipeline))
    steps = state.steps_below("")
    paths = [*(it.path for it in steps), *(p for it in steps for p in it.branches)]
    path = data.draw(st.sampled_from(paths))
    is_branch = bool(path.count(".") % 2)
    step = path.rpartition(".")[0] if is_branch else path
    branches = [path] if is_branch else list(state.step(path).branches)
    part = pickle.loads(pickle.dumps(state.excerpt(step, branches)))
    assert {it.path for it in part.steps_below("")} == {
        step,
        *(it.path for it in state.steps_below(path)),
    }
    assert set(part.step(step).branches) == set(branches)
    for step in part.steps_below(""):
        assert step.status == state.step(step.path).status


def test_secret_names_add_up():
    with_names = functools.partial(StepFinished, "", "a", "SUCCESS", {}, [])
    records = [START, started("a"), with_names(secrets=("TOKEN",))]
    assert RunState(records).secret_names == {"TOKEN"}
