"""Long values are written once in the readable run log, and read back everywhere."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runnable import Map, Parallel, Pipeline, PythonJob, PythonTask, ShellTask, metric
from runnable.datastore import (
    JsonParameter,
    MetricParameter,
    RunLog,
    StepAttempt,
    StepLog,
)
from runnable.datastore.errors import RunLogDamagedError
from runnable.datastore.snapshot import dump_run_log, load_run_log

LONG = ["a long value"] * 500


def read_back(run_log):
    Path("copy.json").write_bytes(b"".join(dump_run_log(run_log)))
    again = load_run_log(run_log.run_id, Path("copy.json"))
    assert again == RunLog.model_validate(run_log.model_dump())
    return Path("copy.json").read_text()


def task(name, function, *returns):
    return PythonTask(name=name, function=function, returns=list(returns))


def test_a_value_is_written_once_however_many_steps_are_given_it(in_memory):
    steps = [task(f"s{n}", lambda big: len(big), f"n{n}") for n in range(20)]
    steps.append(ShellTask(name="shell", command='test -n "$big"'))
    run_log = Pipeline(steps=steps).execute(
        parameters={"big": LONG}, services=in_memory
    )
    text = read_back(run_log)
    assert text.count("a long value") == 500
    entry = json.loads(text)["steps"]["s7"]["attempts"][0]["input_parameters"]["big"]
    assert entry == {
        "kind": "json",
        "value": None,
        "description": "a list of 500 items",
        "$ref": "#/parameters/big",
    }
    given = run_log.steps["s7"].attempts[0].input_parameters["big"]
    assert given.get_value() == LONG


def test_also_in_the_branches_of_maps_and_of_retries(in_memory):
    def use(x, big, attempts=[]):  # noqa: B006 - counts the calls
        attempts.append(x)
        if len(attempts) == 1:
            raise ValueError("once")
        return [x, *big], 1

    branch = PythonTask(
        name="a-b/c~d", function=use, returns=["y", metric("m")], retries=2
    ).as_pipeline()
    inner = Map(name="m", iterate_on="xs", iterate_as="x", branch=branch)
    outer = Parallel(name="p", branches={"one": inner.as_pipeline()})
    last = task("last", lambda big: "another", "big")
    run_log = Pipeline(steps=[outer, last]).execute(
        parameters={"big": LONG, "xs": [1, 2, 3]}, services=in_memory
    )
    text = read_back(run_log)
    # Once as it was given, once in what each item returned, and in the list of these.
    assert text.count("a long value") == 500 * (1 + 3 + 3)
    assert "#/steps/p/branches/p.one/steps" in text
    assert "/p.one.m.1.a-b~1c~0d/" in text


def test_a_job_s_values_are_written_once(in_memory):
    job = PythonJob(function=lambda big: (big, big), returns=["x", "y"])
    run_log = job.execute(parameters={"big": LONG}, services=in_memory)
    assert read_back(run_log).count("a long value") == 500


WIDE = st.sampled_from([LONG, LONG[1:], "x" * 2000, {"k": LONG}, [float("inf")] * 400])
VALUES = WIDE | st.integers() | st.text(max_size=20)
PARAMETERS = st.dictionaries(
    st.text("a/~é", min_size=1, max_size=4),
    st.builds(JsonParameter, value=VALUES) | st.builds(MetricParameter, value=VALUES),
    max_size=4,
)
ATTEMPTS = st.builds(
    StepAttempt,
    attempt_number=st.just(1),
    input_parameters=PARAMETERS,
    output_parameters=PARAMETERS,
)


@given(PARAMETERS, st.lists(st.lists(ATTEMPTS, max_size=2), max_size=3))
def test_what_is_read_is_what_was_written(tmp_path_factory, parameters, steps):
    logs = {
        f"s/{n}": StepLog(name=f"s/{n}", internal_name=f"s/{n}", attempts=attempts)
        for n, attempts in enumerate(steps)
    }
    run_log = RunLog(run_id="r1", parameters=parameters, steps=logs)
    file = tmp_path_factory.mktemp("copy") / "r1.json"
    file.write_bytes(b"".join(dump_run_log(run_log)))
    again = load_run_log("r1", file)
    finite = json.loads(run_log.model_dump_json(), parse_constant=str)
    assert again.model_dump() == RunLog.model_validate(finite).model_dump()


@pytest.mark.parametrize("reference", ["#/parameters/y", "#/steps/0/x", "elsewhere"])
def test_a_reference_that_leads_nowhere_is_damage(reference):
    entry = {"kind": "json", "value": None, "$ref": reference}
    document = {"run_id": "r1", "parameters": {"x": entry}}
    Path("copy.json").write_text(json.dumps(document))
    with pytest.raises(RunLogDamagedError, match="leads nowhere"):
        load_run_log("r1", Path("copy.json"))


def test_a_value_may_look_like_a_reference(in_memory):
    value = {"kind": "json", "value": None, "$ref": "#/nowhere"}
    step = task("s", lambda: value, "parameters")
    run_log = step.as_pipeline().execute(services=in_memory)
    read_back(run_log)


def test_journal_and_copy_are_linear_in_what_was_returned():
    """Twice as many steps that return as much, and are given one value, take twice."""

    def sizes(steps, run_id):
        def make(number):
            def work(big):
                return [number * 10_000 + it for it in range(1000)]

            return task(f"s{number}", work, f"x{number}")

        pipeline = Pipeline(steps=[make(number) for number in range(steps)])
        pipeline.execute(run_id=run_id, parameters={"big": LONG})
        files = Path(".run_log_store").glob(f"{run_id}.*")
        return sum(file.stat().st_size for file in files)

    base = sizes(1, "r1")
    some, twice = sizes(21, "r21") - base, sizes(41, "r41") - base
    assert 1.9 < twice / some < 2.1
