"""A restored state answers every question as the records do."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_pipelines import PARAMETERS, drawn_pipelines

from runnable import ExecutionFailedError
from runnable.datastore.memory import MemoryRunLogStore
from runnable.datastore.saved_state import dump_state, load_state
from runnable.journal import RunResumed, RunState

MANY = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)


def records_of(pipeline):
    store = MemoryRunLogStore()
    services = {"run_log_store": store, "catalog": {"type": "do-nothing"}}
    try:
        run_id = pipeline.execute(parameters=PARAMETERS, services=services).run_id
    except ExecutionFailedError as failed:
        run_id = failed.run_id
    return list(store.read(run_id))


def answers(state):
    # Steps of branches that overlapped have no order that matters.
    steps = sorted(state.steps_below(""), key=lambda step: step.path)
    scopes = [state.scope(path) for step in steps for path in step.branches]
    return {
        "status": (state.status, state.count, state.is_over),
        "open": list(state.open),
        "claims": (state.ownership.claims, state.ownership.last_heartbeat),
        "steps": [
            (it.path, it.started, it.status, it.tries, it.message, dict(it.outputs))
            for it in steps
        ],
        "scopes": [
            (it.path, dict(it.variables), it.parameters, dict(it.initial), it.status)
            for it in [state.root, *scopes]
        ],
    }


@MANY
@given(drawn_pipelines(), st.data())
def test_a_restored_state_is_the_same_and_continues_the_same(pipeline, data):
    records = records_of(pipeline)
    cut = data.draw(st.integers(1, len(records)))
    resumed = data.draw(st.booleans())
    before = [*records[:cut], *[RunResumed("", [])] * resumed]
    state = RunState(before)
    restored = load_state(dump_state(state), records[0])
    assert answers(restored) == answers(state)
    for record in records[cut:] if not resumed else ():
        state.add(record)
        restored.add(record)
    assert answers(restored) == answers(state)
