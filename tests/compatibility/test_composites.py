"""D49 to D62: steps with branches, and objects."""

import os
import statistics
from pathlib import Path

import pytest

from runnable import (
    Conditional,
    ExecutionFailedError,
    Loop,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    ShellTask,
    metric,
    pickled,
)
from tests.support.used import used_by

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


class Thing:
    def __init__(self, number):
        self.number = number


def one(name, function, *returns):
    return PythonTask(name=name, function=function, returns=list(returns))


def mapped(branch, **more):
    return Map(name="m", branch=branch, iterate_on="xs", iterate_as="x", **more)


def executed(*steps, **parameters):
    pipeline = Pipeline(steps=list(steps))
    return pipeline.execute(
        parameters=used_by(pipeline, parameters), services=IN_MEMORY
    )


def test_D49_objects_of_a_map_are_its_items():
    def check(things):
        return [it.number for it in things]

    branch = one("make", Thing, pickled("things"))
    branch = PythonTask(
        name="make", function=lambda x: Thing(x), returns=[pickled("things")]
    )
    pipeline = Pipeline(
        steps=[mapped(branch.as_pipeline()), one("check", check, "numbers")]
    )
    run_log = pipeline.execute(parameters={"xs": [1, 2, 3]})
    assert run_log.parameters["numbers"].value == [1, 2, 3]


def test_D50_objects_of_branches_are_their_own():
    seen = []

    def branch(number):
        steps = [
            one("make", lambda: Thing(number), pickled("obj")),
            one("use", lambda obj: seen.append((number, obj.number))),
        ]
        return Pipeline(steps=steps)

    step = Parallel(name="p", branches={"a": branch(1), "b": branch(2)})
    Pipeline(steps=[step]).execute()
    assert sorted(seen) == [(1, 1), (2, 2)]


def test_D51_files_of_the_user_are_left_alone():
    Path("df.dill").write_text("mine")
    Path("df.pickle").write_text("mine")
    before = sorted(os.listdir())
    Pipeline(
        steps=[
            one("make", lambda: Thing(1), pickled("df")),
            one("use", lambda df: df.number, "n"),
        ]
    ).execute()
    assert Path("df.dill").read_text() == Path("df.pickle").read_text() == "mine"
    assert {*os.listdir()} - {*before} == {".catalog", ".run_log_store"}


KINDS = {
    "parallel": lambda name, branch: Parallel(name=name, branches={"a": branch}),
    "map": lambda name, branch: Map(
        name=name, branch=branch, iterate_on="xs", iterate_as=f"{name}_x"
    ),
    "conditional": lambda name, branch: Conditional(
        name=name, parameter="choice", branches={"yes": branch}
    ),
    "loop": lambda name, branch: Loop(
        name=name,
        branch=Pipeline(steps=[*branch.steps, one("count", lambda: True, "done")]),
        max_iterations=2,
        break_on="done",
        index_as=f"{name}_i",
    ),
}


@pytest.mark.parametrize("outer", KINDS)
@pytest.mark.parametrize("inner", KINDS)
def test_D52_every_kind_stands_in_every_kind(outer, inner):
    leaf = one("leaf", lambda n: n + 1, "y").as_pipeline()
    step = KINDS[outer]("o", KINDS[inner]("i", leaf).as_pipeline())
    run_log = executed(step, xs=[1], choice="yes", n=1)
    value = run_log.parameters["y"].value
    for _ in [kind for kind in (outer, inner) if kind == "map"]:
        (value,) = value
    assert value == 2


def test_D53_what_chooses_branches_is_looked_up_where_the_step_stands():
    inner = Pipeline(
        steps=[
            one("list", lambda: ([1, 2], "b"), "inner_xs", "which"),
            Map(
                name="m",
                iterate_on="inner_xs",
                iterate_as="x",
                branch=one("s", lambda x: x, "y").as_pipeline(),
            ),
            Conditional(
                name="c",
                parameter="which",
                branches={"b": one("t", lambda: 3, "z").as_pipeline()},
            ),
        ]
    )
    run_log = executed(Parallel(name="p", branches={"a": inner}))
    assert run_log.parameters["y"].value == [1, 2]
    assert run_log.parameters["z"].value == 3


def test_D54_a_map_of_nothing_succeeds():
    run_log = executed(mapped(one("s", lambda x: x, "y").as_pipeline()), xs=[])
    assert (run_log.status, run_log.parameters["y"].value) == ("SUCCESS", [])


@pytest.mark.parametrize("store", ["file-system", "chunked-fs", "memory"])
def test_D55_D56_any_items_and_the_same_twice(store):
    items = [1.5, "a/b", "a.b", "", 1, 1, {"k": [None]}, "it's"]
    pipeline = mapped(one("s", lambda x: x, "y").as_pipeline()).as_pipeline()
    run_log = pipeline.execute(
        parameters={"xs": items}, services={"run_log_store": {"type": store}}
    )
    assert run_log.parameters["y"].value == items
    assert len(run_log.steps["m"].branches) == len(items)


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [
        ("statistics.mean", 2),
        ("max", 3),
        ("lambda *x: sum(x)", 6),
        (lambda *x: min(x), 1),
        (statistics.median, 2),
        (None, [1, 2, 3]),
    ],
)
def test_D57_reducers(reducer, expected):
    branch = one("s", lambda x: x, "y").as_pipeline()
    run_log = executed(mapped(branch, reducer=reducer), xs=[1, 2, 3])
    assert run_log.parameters["y"].value == expected


def test_D57_text_of_a_reducer_can_do_nothing_else():
    branch = one("s", lambda x: x, "y").as_pipeline()
    text = "lambda *x: __import__('os').system('touch made')"
    with pytest.raises(Exception, match=r"__import__|reducer"):
        executed(mapped(branch, reducer=text), xs=[1])
    assert not Path("made").exists()


def test_D58_reduced_metrics_are_metrics():
    branch = one("s", lambda x: x, metric("score")).as_pipeline()
    assert executed(mapped(branch, reducer="max"), xs=[1, 2]).metrics == {"score": 2}


@pytest.mark.parametrize("value", [1, "true", None])
def test_D59_a_loop_ends_by_true_or_false_alone(value):
    step = Loop(
        name="l",
        branch=one("s", lambda: value, "done").as_pipeline(),
        max_iterations=3,
        break_on="done",
        index_as="i",
    )
    with pytest.raises(ExecutionFailedError, match="done"):
        executed(step)


def test_D59_a_loop_has_iterations():
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Loop(
            name="l",
            branch=one("s", lambda: True, "done").as_pipeline(),
            max_iterations=0,
            break_on="done",
            index_as="i",
        )


def test_D60_the_number_of_an_iteration_is_seen_and_gone():
    steps = [
        ShellTask(name="sh", command="export seen=$NUMBER", returns=["seen"]),
        one(
            "py", lambda NUMBER: (int(os.environ["NUMBER"]), NUMBER == 1), "at", "done"
        ),
    ]
    loop = Loop(
        name="l",
        branch=Pipeline(steps=steps),
        max_iterations=5,
        break_on="done",
        index_as="NUMBER",
    )
    run_log = executed(loop)
    assert (run_log.parameters["seen"].value, run_log.parameters["at"].value) == (1, 1)
    assert "NUMBER" not in os.environ


def test_D61_no_branch_fails_the_step():
    step = Conditional(
        name="c",
        parameter="choice",
        branches={"a": one("s", lambda: 1).as_pipeline()},
        on_failure=one("mend", lambda: 1, "mended").as_pipeline(),
    )
    run_log = executed(step, choice="b")
    assert run_log.status == "SUCCESS"
    assert run_log.parameters["mended"].value == 1
    assert "'b'" in run_log.steps["c"].message


def leaf(x):
    return x, os.getpid()


def test_D62_branches_in_processes_may_have_branches():
    inner = Parallel(
        name="p", branches={"a": one("s", leaf, "y", "pid").as_pipeline()}
    ).as_pipeline()
    loop = Loop(
        name="l",
        branch=Pipeline(steps=[mapped(inner), one("end", lambda: True, "done")]),
        max_iterations=2,
        break_on="done",
        index_as="i",
    )
    run_log = Pipeline(steps=[loop]).execute(
        parameters={"xs": [1, 2]},
        services={
            "pipeline_executor": {"type": "local", "enable_parallel": True},
            "run_log_store": {"type": "chunked-fs"},
        },
    )
    assert run_log.parameters["y"].value == [1, 2]
    assert os.getpid() not in run_log.parameters["pid"].value
