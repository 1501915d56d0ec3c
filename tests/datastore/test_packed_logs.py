"""Logs of steps and branches, made when they are looked at."""

import json
import pickle
import re

from runnable import Map, Parallel, Pipeline, PythonTask, Stub, metric
from runnable.datastore import BranchLog, RunLog, StepLog
from runnable.datastore.snapshot import dump_run_log

ONE = PythonTask(name="s", function=lambda x: (x, 1), returns=["y", metric("m")])


def executed(in_memory, xs=(1, 2)):
    inner = Map(
        name="m", branch=ONE.as_pipeline(), iterate_on="xs", iterate_as="x"
    ).as_pipeline()
    outer = Parallel(name="p", branches={"a": inner, "b": ONE.as_pipeline()})
    return Pipeline(steps=[Stub(name="before"), outer]).execute(
        parameters={"xs": list(xs), "x": 7}, services=in_memory
    )


def test_packed_branches_equal_their_models(in_memory):
    run_log = executed(in_memory)
    whole = RunLog.model_validate(run_log.model_dump())
    assert isinstance(whole.steps, dict)
    assert whole == run_log
    assert isinstance(run_log.steps["p"], StepLog)
    assert isinstance(run_log.steps["p"].branches["p.a"], BranchLog)
    assert list(run_log.steps) == ["before", "p", "success"]
    assert "p" in run_log.steps
    assert "q" not in run_log.steps
    assert run_log.steps.get("q") is None
    attempt = run_log.search_step_by_internal_name("p.a.m.2.s")[0].attempts[0]
    assert attempt.user_defined_metrics["m"].value == 1
    assert (
        attempt.code_identities == run_log.steps["before"].attempts[0].code_identities
    )


def test_one_that_is_looked_at_again_is_at_hand(in_memory):
    run_log = executed(in_memory)
    assert run_log.steps["p"] is run_log.steps["p"]
    assert "before, p, success" in repr(run_log.steps)
    assert "..." not in repr(run_log.steps)


def test_the_readable_copy_is_written_in_pieces(in_memory):
    run_log = executed(in_memory, ["a", "\ud800", float("inf")])
    pieces = list(dump_run_log(run_log))
    assert len(pieces) > 5
    text = b"".join(pieces).decode()
    plain = json.dumps(run_log.model_dump(), indent=4)
    assert text == re.sub(r"\bInfinity\b", '"Infinity"', plain)  # JSON has none


def test_a_run_log_can_be_pickled(in_memory):
    run_log = executed(in_memory)
    again = pickle.loads(pickle.dumps(run_log))
    assert again == run_log
