"""Going through run logs without a model of each step."""

from runnable import Map, Parallel, Pipeline, PythonTask, Stub, metric
from runnable.datastore import RunLog
from runnable.datastore.outlines import all_entries, entries_of, metrics_of


def run(in_memory):
    each = PythonTask(name="each", function=lambda x: x, returns=[metric("last")])
    inner = Map(
        name="m", branch=each.as_pipeline(), iterate_on="xs", iterate_as="x"
    ).as_pipeline()
    both = Parallel(name="p", branches={"a": inner, "b": Stub(name="s").as_pipeline()})
    return Pipeline(steps=[both]).execute(
        parameters={"xs": [1, 2, 3]}, services=in_memory
    )


def test_entries_say_the_same_as_models_whether_packed_or_not(in_memory):
    packed = run(in_memory)
    unpacked = RunLog.model_validate_json(packed.model_dump_json())
    for run_log in (packed, unpacked):
        found = [
            (it.path, it.name, it.status, it.step_type, len(it.attempts))
            for it in all_entries(entries_of(run_log.steps))
        ]
        assert found == [
            (it.internal_name, it.name, it.status, it.step_type, len(it.attempts))
            for it in run_log.all_steps()
        ]
        times = [
            (attempt.start, attempt.end)
            for it in all_entries(entries_of(run_log.steps))
            for attempt in it.attempts
        ]
        assert times == [
            (attempt.start_time, attempt.end_time)
            for it in run_log.all_steps()
            for attempt in it.attempts
        ]
        assert list(metrics_of(run_log.steps)) == [
            ("last", 1),
            ("last", 2),
            ("last", 3),
        ]
        assert run_log.counts()["p.a.m.*.each"] == {"SUCCESS": 3}
