"""Steps with branches, as authors write and run them."""

import asyncio
import json as jsonlib
import logging
import math
import threading
from pathlib import Path

import pytest

from runnable import (
    AsyncPipeline,
    AsyncPythonTask,
    Catalog,
    Conditional,
    ExecutionFailedError,
    Loop,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    Stub,
    get_run_log,
    metric,
    pickled,
)
from runnable.exceptions import (
    BranchesFailedError,
    BranchFailedError,
    BranchingError,
    BranchLogNotFoundError,
    ConfigurationError,
    DefinitionError,
    GraphError,
    ParameterMissingError,
    ParametersMissingError,
    ReductionError,
    SettingsError,
    StepLogNotFoundError,
    ValueNotStorableError,
)


def task(name, function, *returns, **more):
    return PythonTask(name=name, function=function, returns=list(returns), **more)


def value(number):
    return lambda: number


def boom(**_):
    raise LookupError("no such patient")


def executed(steps, in_memory, **parameters):
    steps = steps if isinstance(steps, list) else [steps]
    return Pipeline(steps=steps).execute(parameters=parameters, services=in_memory)


def failed(steps, in_memory, **parameters):
    with pytest.raises(ExecutionFailedError) as caught:
        executed(steps, in_memory, **parameters)
    return caught.value


def values(run_log):
    return {name: it.value for name, it in run_log.parameters.items()}


# --- Parallel


def test_parallel_branches_see_earlier_parameters_and_are_merged(in_memory):
    both = Parallel(
        name="both",
        branches={
            "left": task("l", lambda x: x + 1, "y").as_pipeline(),
            "right": task("r", lambda x: x + 2, "z").as_pipeline(),
        },
    )
    run_log = executed([task("a", value(1), "x"), both, Stub(name="b")], in_memory)
    assert values(run_log) == {"x": 1, "y": 2, "z": 3}
    step = run_log.steps["both"]
    assert (step.status, step.step_type, step.attempts) == ("SUCCESS", "parallel", [])
    assert list(step.branches) == ["both.left", "both.right"]
    left = step.branches["both.left"]
    assert (left.internal_name, left.status) == ("both.left", "SUCCESS")
    assert list(left.steps) == ["both.left.l", "both.left.success"]
    assert {name: it.value for name, it in left.parameters.items()} == {"y": 2}
    found, branch = run_log.search_step_by_internal_name("both.left.l")
    assert (found.name, branch.internal_name) == ("l", "both.left")
    assert run_log.search_branch_by_internal_name("both.right")[1].name == "both"
    # What it was given from outside its branch is part of its record.
    assert found.attempts[0].input_parameters["x"].value == 1
    with pytest.raises(BranchLogNotFoundError):
        run_log.search_branch_by_internal_name("both.middle")
    with pytest.raises(StepLogNotFoundError):
        run_log.search_step_by_internal_name("both.middle.l")


def test_the_later_branch_wins_and_a_warning_names_both(in_memory, caplog):
    both = Parallel(
        name="both",
        branches={
            "a": task("s", value(1), "shared").as_pipeline(),
            "b": task("s", value(2), "shared").as_pipeline(),
            "c": task("s", value(2), "shared").as_pipeline(),
        },
    )
    with caplog.at_level(logging.WARNING, "runnable"):
        run_log = executed(both, in_memory)
    assert values(run_log) == {"shared": 2}
    (warning,) = caplog.messages
    assert "branches 'a' and 'b' both set parameter 'shared'" in warning
    assert "branches 'a' and 'b'" in run_log.steps["both"].message


def test_a_branch_that_changes_nothing_does_not_undo_its_sibling(in_memory):
    both = Parallel(
        name="both",
        branches={
            "sets": task("s", lambda x: x + 1, "x").as_pipeline(),
            "reads": task("r", lambda x: x, "seen").as_pipeline(),
        },
    )
    assert values(executed(both, in_memory, x=1)) == {"x": 2, "seen": 1}


@pytest.mark.parametrize("parallelism", ["none", "thread", "process"])
@pytest.mark.parametrize("way", ["execute", "execute_async"])
def test_a_failing_branch_stops_no_sibling_and_is_named(parallelism, way, in_memory):
    parallel = Parallel(
        name="p",
        branches={
            "a": task("s", boom).as_pipeline(),
            "b": task("s", value(1), "x").as_pipeline(),
            "c": Stub(name="s", terminate_with_failure=True).as_pipeline(),
        },
        parallelism=parallelism,
    )
    with pytest.raises(ExecutionFailedError) as caught:
        running = getattr(Pipeline(steps=[parallel]), way)(services=in_memory)
        if way == "execute_async":
            asyncio.run(running)
    error = caught.value.__cause__
    assert isinstance(error, BranchesFailedError)
    assert error.branches == ["p.a", "p.c"]
    assert "2 of 3 branches of step 'p' failed: 'p.a', 'p.c'" in str(caught.value)
    first, second = error.exceptions
    assert isinstance(first, LookupError)
    assert first.__notes__ == ["in step 'p.a.s', attempt 1"]
    assert isinstance(second, BranchFailedError)
    step = caught.value.run_log.steps["p"]
    statuses = {path: branch.status for path, branch in step.branches.items()}
    assert statuses == {"p.a": "FAIL", "p.b": "SUCCESS", "p.c": "FAIL"}
    assert step.status == "FAIL"
    # What the branches of a failed step have set is not merged.
    assert values(caught.value.run_log) == {}
    attempt = step.branches["p.a"].steps["p.a.s"].attempts[0]
    assert "no such patient" in attempt.traceback


def test_very_many_failing_branches_are_all_named(in_memory):
    branch = task("s", boom).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    error = failed(step, in_memory, xs=list(range(300))).__cause__
    assert len(error.branches) == 300
    assert len(error.exceptions) == 100
    assert "and 250 more" in str(error)


def test_sys_exit_in_a_branch_fails_it(in_memory):
    def leave():
        raise SystemExit(3)

    step = Parallel(name="p", branches={"a": task("s", leave).as_pipeline()})
    (error,) = failed(step, in_memory).__cause__.exceptions
    assert isinstance(error, BranchFailedError)
    assert isinstance(error.__cause__, SystemExit)


# --- Conditional


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [("a", 1), ("my_branch", 2), (3, 3), (True, 4), (2.5, 5), ("?", 6), (None, 6)],
)
def test_a_parameter_names_the_branch(chosen, expected, in_memory):
    names = ["a", "my_branch", "3", "True", "2.5", "other"]
    step = Conditional(
        name="c",
        parameter="chosen",
        branches={
            name: task("s", value(number), "result").as_pipeline()
            for number, name in enumerate(names, start=1)
        },
        default="other",
    )
    run_log = executed(step, in_memory, chosen=chosen)
    assert run_log.parameters["result"].value == expected
    assert len(run_log.steps["c"].branches) == 1


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ("hed", "'chosen' is 'hed': no branch has this name, and there is no default"),
        ("hed", "Did you mean 'head'"),
        ([1], "is [1]: only text, numbers and True or False name a branch"),
    ],
)
def test_no_branch_of_this_name(chosen, text, in_memory):
    step = Conditional(
        name="c", parameter="chosen", branches={"head": Stub(name="s").as_pipeline()}
    )
    error = failed(step, in_memory, chosen=chosen)
    assert isinstance(error.__cause__, BranchingError)
    assert text in str(error)
    assert error.run_log.steps["c"].status == "FAIL"


# --- Map


def squares(**more):
    branch = task("s", lambda x: (x * x, float(x)), "square", metric("same"))
    return Map(
        name="m",
        branch=branch.as_pipeline(),
        iterate_on="xs",
        iterate_as="x",
        **more,
    )


@pytest.mark.parametrize("parallelism", ["none", "thread", "process"])
def test_a_map_collects_in_the_order_of_the_items(parallelism, in_memory):
    run_log = executed(squares(parallelism=parallelism), in_memory, xs=[3, 1, 2, 3])
    assert values(run_log) == {
        "xs": [3, 1, 2, 3],
        "square": [9, 1, 4, 9],
        "same": [3.0, 1.0, 2.0, 3.0],
    }
    assert run_log.parameters["same"].kind == "metric"
    assert run_log.metrics == {"same": [3.0, 1.0, 2.0, 3.0]}
    assert list(run_log.steps["m"].branches) == ["m.3", "m.1", "m.2", "m.3~2"]
    attempt = run_log.search_step_by_internal_name("m.1.s")[0].attempts[0]
    assert {name: it.value for name, it in attempt.input_parameters.items()} == {"x": 1}


def test_a_map_over_nothing(in_memory):
    run_log = executed(squares(reducer="max"), in_memory, xs=[])
    assert values(run_log) == {"xs": [], "square": [], "same": []}
    assert run_log.steps["m"].branches == {}


ITEMS = [
    1.5,
    "a/b",
    "a.b",
    "a%2Eb",
    "",
    None,
    True,
    {"k": [1]},
    [],
    "x" * 300,
    "\n\0",
    "\ud800",
    "..",
    "1.5",
    -1,
    1,
    "grün",
]


@pytest.mark.parametrize("parallelism", ["thread", "process"])
def test_items_are_any_json_values(parallelism):
    """Also in paths of files, objects and logs."""
    branch = Pipeline(
        steps=[
            task("make", lambda item: ([item],), pickled("made")),
            task("use", lambda made, item: made[0] == item, "same"),
        ]
    )
    step = Map(
        name="m",
        branch=branch,
        iterate_on="items",
        iterate_as="item",
        parallelism=parallelism,
    )
    run_log = Pipeline(steps=[step]).execute(parameters={"items": ITEMS}, run_id="r1")
    assert run_log.parameters["same"].value == [True] * len(ITEMS)
    assert run_log.parameters["made"].get_value() == [[item] for item in ITEMS]
    branches = list(run_log.steps["m"].branches)
    assert len(set(branches)) == len(ITEMS)
    assert branches[:2] == ["m.1%2E5", "m.a%2Fb"]
    for branch_name in branches:
        found = run_log.search_step_by_internal_name(f"{branch_name}.use")[0]
        assert found.status == "SUCCESS"
    again = get_run_log("r1")
    assert again.parameters["made"].get_value() == [[item] for item in ITEMS]
    copy = jsonlib.loads(Path(".run_log_store/r1.json").read_text())
    assert list(copy["steps"]["m"]["branches"]) == branches


@pytest.mark.parametrize(
    ("reducer", "expected"),
    [
        (None, [9, 1, 4]),
        ("max", 9),
        ("sum", 14),
        ("len", 3),
        (sum, 14),
        (max, 9),
        ("lambda *x: max(x) - min(x)", 8),
        (lambda *x: sorted(x), [1, 4, 9]),
        ("math.gcd", 1),
        (math.gcd, 1),
    ],
)
def test_reducers(reducer, expected, in_memory):
    branch = task("s", lambda x: x * x, "square").as_pipeline()
    step = Map(
        name="m", branch=branch, iterate_on="xs", iterate_as="x", reducer=reducer
    )
    run_log = executed(step, in_memory, xs=[3, 1, 2])
    assert run_log.parameters["square"].value == expected


@pytest.mark.parametrize(
    "reducer",
    ["maxx", "1 +", "lambda x", "lambda x: x.__class__", "max(1)", "lambda: 1, 2"],
)
def test_reducers_that_cannot_be(reducer):
    with pytest.raises(DefinitionError, match="reducer"):
        squares(reducer=reducer)


@pytest.mark.parametrize(
    ("reducer", "error"),
    [
        ("lambda *x: open('f')", ReductionError),
        ("lambda *x: {1, 2} - set(x) | {print}", ReductionError),
        (lambda *_: object(), ValueNotStorableError),
        ("math.nothing", DefinitionError),
        ("nowhere.nothing", DefinitionError),
        ("math.pi", DefinitionError),
    ],
)
def test_reducers_that_fail_the_step(reducer, error, in_memory):
    failure = failed(squares(reducer=reducer), in_memory, xs=[1, 2])
    assert isinstance(failure.__cause__, error)
    step = failure.run_log.steps["m"]
    assert step.status == "FAIL"
    assert error.__name__ in step.message
    assert error.__name__ in step.traceback
    if error is ReductionError:
        assert isinstance(failure.__cause__.__cause__, NameError)
        assert "failed on what was returned as 'same': NameError" in step.message


@pytest.mark.parametrize("xs", [1, "abc", {"a": 1}, None])
def test_a_map_needs_a_list(xs, in_memory):
    error = failed(squares(), in_memory, xs=xs)
    assert isinstance(error.__cause__, BranchingError)
    assert "'xs' is" in str(error)


def test_a_map_over_a_pickled_list(in_memory):
    make = task("make", lambda: [1, 2], pickled("xs"))
    run_log = executed([make, squares()], in_memory)
    assert run_log.parameters["square"].value == [1, 4]


def test_objects_of_a_map_are_kept_apart():
    branch = task("s", lambda x: lambda: x, pickled("made")).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    run_log = Pipeline(steps=[step]).execute(parameters={"xs": [1, 2, 3]})
    assert [made() for made in run_log.parameters["made"].get_value()] == [1, 2, 3]
    kinds = {name: it.kind for name, it in run_log.parameters.items()}
    assert kinds == {"xs": "json", "made": "object"}


def test_iterations_without_a_value_are_skipped(in_memory):
    small = task("small", lambda x: x, "y").as_pipeline()
    choice = Conditional(
        name="c",
        parameter="x",
        branches={"1": small, "other": Stub(name="o").as_pipeline()},
        default="other",
    )
    step = Map(name="m", branch=choice.as_pipeline(), iterate_on="xs", iterate_as="x")
    assert values(executed(step, in_memory, xs=[1, 2, 1]))["y"] == [1, 1]


# --- Loop


def counting(**more):
    def count(total: int = 0, **rest):
        return total + 1, total + 1 >= rest["enough"], rest["number"]

    return Loop(
        **{
            "name": "l",
            "branch": task("s", count, "total", "done", "last").as_pipeline(),
            "max_iterations": 10,
            "break_on": "done",
            "index_as": "number",
        }
        | more
    )


def test_a_loop_repeats_until_it_is_done(in_memory):
    run_log = executed(counting(), in_memory, enough=3)
    assert values(run_log) == {"enough": 3, "total": 3, "done": True, "last": 2}
    assert list(run_log.steps["l"].branches) == ["l.0", "l.1", "l.2"]
    second = run_log.steps["l"].branches["l.1"].steps["l.1.s"].attempts[0]
    inputs = {name: it.value for name, it in second.input_parameters.items()}
    assert inputs == {"total": 1, "done": False, "last": 0, "number": 1, "enough": 3}


def test_a_loop_that_is_never_done_ends_at_its_limit(in_memory):
    run_log = executed(counting(max_iterations=2), in_memory, enough=99)
    assert (run_log.status, run_log.parameters["total"].value) == ("SUCCESS", 2)


@pytest.mark.parametrize("done", [1, "true", [], 0])
def test_break_on_must_be_a_bool(done, in_memory):
    loop = counting(branch=task("s", value(done), "done").as_pipeline())
    error = failed(loop, in_memory)
    assert isinstance(error.__cause__, BranchingError)
    assert "must be True or False" in str(error)
    assert len(error.run_log.steps["l"].branches) == 1


def test_a_failed_loop_keeps_its_parameters(in_memory):
    def count(total=0):
        if total == 2:
            raise ValueError("enough")
        return total + 1, False

    loop = counting(branch=task("s", count, "total", "done").as_pipeline())
    error = failed(loop, in_memory)
    assert values(error.run_log) == {"total": 2, "done": False}


def test_the_number_is_in_the_environment_of_the_step(in_memory, monkeypatch):
    import os

    monkeypatch.delenv("NUMBER", raising=False)
    seen = task(
        "s",
        lambda seen=(): ([*seen, os.environ["NUMBER"]], len(seen) == 2),
        "seen",
        "done",
    )
    loop = counting(branch=seen.as_pipeline(), index_as="NUMBER")
    run_log = executed(loop, in_memory)
    assert run_log.parameters["seen"].value == ["0", "1", "2"]
    assert "NUMBER" not in os.environ


@pytest.mark.parametrize("limit", [0, -1])
def test_a_loop_runs_at_least_once(limit):
    with pytest.raises(SettingsError, match="max_iterations"):
        counting(max_iterations=limit)


def test_a_loop_may_be_done_from_outside(in_memory):
    loop = counting(branch=Stub(name="s").as_pipeline())
    run_log = executed(loop, in_memory, done=True)
    assert list(run_log.steps["l"].branches) == ["l.0"]


# --- Everything within everything

KINDS = {
    "parallel": lambda branch: Parallel(name="outer", branches={"b": branch}),
    "conditional": lambda branch: Conditional(
        name="outer", parameter="chosen", branches={"b": branch}
    ),
    "map": lambda branch: Map(
        name="outer", branch=branch, iterate_on="xs", iterate_as="x"
    ),
    "loop": lambda branch: Loop(
        name="outer", branch=branch, max_iterations=2, break_on="no", index_as="i"
    ),
}
PLACES = {"parallel": "b", "conditional": "b", "map": "1", "loop": "1"}


@pytest.mark.parametrize("outer", KINDS)
@pytest.mark.parametrize("inner", KINDS)
@pytest.mark.parametrize("store", ["memory", "file-system"])
def test_any_nesting(outer, inner, store):
    def see(a, **rest):
        return a + 1, rest.get("x"), rest.get("i")

    step = KINDS[inner](task("s", see, "seen", "x_is", "i_is").as_pipeline())
    step = KINDS[outer](step.as_pipeline())
    parameters = {"chosen": "b", "xs": [0, 1], "no": False}
    run_log = Pipeline(steps=[task("a", value(1), "a"), step]).execute(
        parameters=parameters, services={"run_log_store": {"type": store}}
    )
    path = f"outer.{PLACES[outer]}.outer.{PLACES[inner]}.s"
    found, branch = run_log.search_step_by_internal_name(path)
    assert (found.status, branch.status) == ("SUCCESS", "SUCCESS")
    depth = [outer, inner].count("map")
    expected = {0: 2, 1: [2, 2], 2: [[2, 2], [2, 2]]}[depth]
    assert run_log.parameters["seen"].value == expected
    assert get_run_log_or_same(run_log, store) == run_log


def get_run_log_or_same(run_log, store):
    return get_run_log(run_log.run_id) if store == "file-system" else run_log


def test_a_nested_map_iterates_on_a_parameter_of_its_branch(in_memory):
    split = task("split", lambda n: list(range(n)), "xs")
    inner = Pipeline(steps=[split, squares()])
    step = Map(name="outer", branch=inner, iterate_on="ns", iterate_as="n")
    run_log = executed(step, in_memory, ns=[1, 3])
    assert run_log.parameters["square"].value == [[0], [0, 1, 4]]


# --- on_failure


@pytest.mark.parametrize("kind", [*KINDS, "stub"])
def test_a_failure_path_works_everywhere(kind, in_memory):
    if kind == "stub":
        step = Stub(name="outer", catalog=Catalog(get=["missing"]))
        in_memory = {"run_log_store": {"type": "memory"}}
    else:
        step = KINDS[kind](task("s", boom).as_pipeline())
    step.on_failure = task("mend", value("mended"), "how").as_pipeline()
    parameters = {"chosen": "b", "xs": [1, 2], "no": False}
    run_log = executed([step, Stub(name="never")], in_memory, **parameters)
    assert run_log.status == "SUCCESS"
    assert list(run_log.steps) == ["outer", "mend", "success"]
    assert run_log.steps["outer"].status == "FAIL"
    assert run_log.parameters["how"].value == "mended"


def test_a_failure_path_within_a_branch(in_memory):
    mended = task("mend", value(0), "y")
    risky = task("s", lambda x: 1 // x, "y", on_failure=mended.as_pipeline())
    step = Map(name="m", branch=risky.as_pipeline(), iterate_on="xs", iterate_as="x")
    run_log = executed(step, in_memory, xs=[1, 0])
    assert run_log.parameters["y"].value == [1, 0]
    assert run_log.search_step_by_internal_name("m.0.s")[0].status == "FAIL"


def test_a_failure_path_may_have_branches(in_memory):
    step = task("s", boom, on_failure=squares().as_pipeline())
    assert executed(step, in_memory, xs=[2]).parameters["square"].value == [4]


# --- Definitions


def test_branches_are_pipelines_and_there_is_one():
    with pytest.raises(SettingsError, match="at least one"):
        Parallel(name="p", branches={})
    with pytest.raises(SettingsError, match="at least one"):
        Conditional(name="c", parameter="x", branches={})
    with pytest.raises(SettingsError, match="write Stub"):
        Parallel(name="p", branches={"a": Stub(name="s")})
    with pytest.raises(SettingsError, match="default 'hed' is no branch"):
        Conditional(
            name="c",
            parameter="x",
            branches={"head": Stub(name="s").as_pipeline()},
            default="hed",
        )
    with pytest.raises(SettingsError, match="max_workers"):
        squares(max_workers=0)


def test_a_setting_that_is_misspelt_is_suggested():
    with pytest.raises(SettingsError, match=r"'s': there is no setting 'retrys'. Did"):
        task("s", boom, retrys=2)
    with pytest.raises(SettingsError, match="no setting 'iterate_one'"):
        Map(name="m", iterate_one="xs")


def test_known_names_are_suggested_for_a_missing_one(in_memory):
    loop = counting(break_on="dnoe")
    with pytest.raises(ParameterMissingError, match="Did you mean 'done'"):
        executed(loop, in_memory, enough=1)
    inner = task("s", lambda shpo: shpo).as_pipeline()
    step = Map(name="m", branch=inner, iterate_on="shops", iterate_as="shop")
    with pytest.raises(ParameterMissingError, match=r"'m.{shop}.s'.*mean 'shop'"):
        executed(step, in_memory, shops=[1])


def test_items_that_are_no_json_get_advice(in_memory):
    make = task("make", lambda: [object()], pickled("things"))
    step = Map(
        name="m",
        branch=Stub(name="s").as_pipeline(),
        iterate_on="things",
        iterate_as="thing",
    )
    error = failed([make, step], in_memory)
    assert "look objects up in the branch" in str(error)


@pytest.mark.parametrize("parallelism", ["thread", "none"])
def test_branches_that_put_files_of_one_name_are_warned_about(parallelism, caplog):
    def write(x):
        Path("model.txt").write_text(f"model {x}")

    one = task("s", write, catalog=Catalog(put=["model.txt"])).as_pipeline()
    step = Map(
        name="m",
        branch=one,
        iterate_on="xs",
        iterate_as="x",
        max_workers=1,
        parallelism=parallelism,
    )
    again = task("t", lambda: write(9), catalog=Catalog(put=["model.txt"]))
    with caplog.at_level(logging.WARNING, "runnable"):
        Pipeline(steps=[step, again]).execute(parameters={"xs": [1, 2]})
    (warning,) = caplog.messages
    assert "'model.txt' replaces a file of this name that branch 'm.1' has" in warning


def test_branch_names_are_any_text(in_memory):
    names = ["a.b", "b", "a b", "%", "ü"]
    step = Parallel(
        name="p",
        branches={
            name: task("s", value(number), f"v{number}").as_pipeline()
            for number, name in enumerate(names)
        },
    )
    run_log = executed(step, in_memory)
    assert list(run_log.steps["p"].branches) == [
        "p.a%2Eb",
        "p.b",
        "p.a b",
        "p.%25",
        "p.ü",
    ]
    assert len(run_log.parameters) == len(names)


def test_the_graph_describes_its_branches():
    graph = Pipeline(steps=[squares(), counting()]).return_dag().described["nodes"]
    assert graph["m"]["is_composite"] is True
    assert graph["m"]["iterate_on"] == "xs"
    assert "s" in graph["m"]["branch"]["nodes"]
    assert graph["l"]["max_iterations"] == 10
    one = Pipeline(steps=[squares()]).return_dag()
    assert one.hash != Pipeline(steps=[squares(reducer="max")]).return_dag().hash


def test_steps_with_branches_are_values(in_memory):
    step = squares()
    first, second = Pipeline(steps=[step]), Pipeline(steps=[Stub(name="a"), step])
    for pipeline in (first, second, first):
        run_log = pipeline.execute(parameters={"xs": [2]}, services=in_memory)
        assert run_log.parameters["square"].value == [4]
    assert step.graph_branches.keys() == {"map_variable_placeholder"}


def test_everything_that_is_missing_is_listed(in_memory):
    def needs(missing, item):
        return missing, item

    pipeline = Pipeline(
        steps=[
            Map(
                name="m",
                branch=task("s", needs, "x").as_pipeline(),
                iterate_on="items",
                iterate_as="item",
            ),
            Conditional(
                name="c",
                parameter="chosen",
                branches={"b": task("t", lambda other: other).as_pipeline()},
            ),
            counting(branch=Stub(name="u").as_pipeline(), break_on="dnoe"),
        ]
    )
    with pytest.raises(ParametersMissingError) as caught:
        pipeline.execute(services=in_memory, parameters={"done": True})
    text = str(caught.value)
    found = {(it.step, it.argument) for it in caught.value.missing}
    assert found == {
        ("m", "items"),
        ("m.{item}.s", "missing"),
        ("c", "chosen"),
        ("c.b.t", "other"),
        ("l", "dnoe"),
    }
    assert "needs() needs parameter 'missing'" in text
    assert "Did you mean 'done'?" in text
    with pytest.raises(ParameterMissingError, match="Step 'm' needs parameter 'xs'"):
        Pipeline(steps=[squares()]).execute(services=in_memory)


def test_all_findings_of_a_graph_are_listed():
    with pytest.raises(GraphError) as caught:
        Pipeline(
            steps=[
                Stub(name="a", next_node="nowhere"),
                Stub(name="b", next_node="nothing"),
            ]
        )
    assert len(caught.value.findings) == 2


# --- How branches overlap


@pytest.mark.parametrize("way", ["execute", "execute_async"])
@pytest.mark.parametrize("kind", ["parallel", "map"])
def test_all_branches_are_under_way_at_once(kind, way, in_memory):
    """Each waits for all others, so one after the other would never end."""
    barrier = threading.Barrier(8, timeout=60)
    branch = task("s", lambda **_: barrier.wait() >= 0, "met").as_pipeline()
    if kind == "parallel":
        step = Parallel(name="p", branches={f"b{n}": branch for n in range(8)})
    else:
        step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    running = getattr(Pipeline(steps=[step]), way)(
        services=in_memory, parameters={"xs": list(range(8))}
    )
    run_log = running if way == "execute" else asyncio.run(running)
    assert run_log.status == "SUCCESS"


async def test_coroutines_of_branches_are_under_way_at_once(in_memory):
    barrier = asyncio.Barrier(50)

    async def meet():
        async with asyncio.timeout(60):
            await barrier.wait()

    branch = AsyncPythonTask(name="s", function=meet).as_async_pipeline()
    step = Parallel(
        name="p", branches={f"b{n}": branch for n in range(50)}, max_workers=50
    )
    pipeline = AsyncPipeline(steps=[step])
    assert (await pipeline.execute_async(services=in_memory)).status == "SUCCESS"


@pytest.mark.parametrize("way", ["execute", "execute_async"])
@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_are_in_flight_than_allowed(way, limit, in_memory):
    lock, flying, most = threading.Lock(), 0, 0

    def fly(x):
        nonlocal flying, most
        with lock:
            flying += 1
            most = max(most, flying)
        threading.Event().wait(0.001)
        with lock:
            flying -= 1

    branch = task("s", fly).as_pipeline()
    step = Map(
        name="m", branch=branch, iterate_on="xs", iterate_as="x", max_workers=limit
    )
    running = getattr(Pipeline(steps=[step]), way)(
        services=in_memory, parameters={"xs": list(range(100))}
    )
    if way == "execute_async":
        asyncio.run(running)
    assert 1 <= most <= limit


def test_items_are_taken_when_there_is_room(in_memory):
    """A long list makes no branch before its turn."""
    from runnable.datastore.memory import MemoryRunLogStore

    store = MemoryRunLogStore()
    in_flight = []

    def look(x):
        kinds = [type(record).__name__ for record in store.read("r1")]
        in_flight.append(kinds.count("BranchStarted") - kinds.count("BranchFinished"))

    branch = task("s", look).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x", max_workers=4)
    Pipeline(steps=[step]).execute(
        run_id="r1",
        parameters={"xs": list(range(60))},
        services={**in_memory, "run_log_store": store},
    )
    assert len(in_flight) == 60
    assert max(in_flight) <= 4


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({}, "threads"),
        ({"parallelism": "none"}, "here"),
        ({"enable_parallel": False}, "here"),
        ({"max_workers": 1}, "here"),
        ({"parallelism": "thread"}, "threads"),
        ({"enable_parallel": True, "parallelism": "thread"}, "threads"),
        ({"parallelism": "process", "max_workers": 2}, "processes"),
        ({"enable_parallel": True, "max_workers": 2}, "processes"),
    ],
)
def test_the_executor_chooses_how_branches_overlap(config, where, in_memory):
    import os

    def look(x):
        import os
        import threading

        return os.getpid(), threading.get_ident()

    branch = task("s", look, "pid", "thread").as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    executor = {"type": "local", "config": config}
    run_log = executed(
        step, {**in_memory, "pipeline_executor": executor}, xs=list(range(6))
    )
    pids = set(run_log.parameters["pid"].value)
    if where == "processes":
        assert os.getpid() not in pids
        assert 1 <= len(pids) <= 2
    else:
        assert pids == {os.getpid()}
    if where == "here":
        assert set(run_log.parameters["thread"].value) == {threading.get_ident()}


def test_settings_that_contradict_each_other(in_memory):
    config = {"enable_parallel": False, "parallelism": "process"}
    executor = {"type": "local", "config": config}
    with pytest.raises(ConfigurationError, match="contradict each other"):
        executed(Stub(name="s"), {**in_memory, "pipeline_executor": executor})


# --- What a reviewer found


async def cancels_itself(x):
    """Awaits something that somebody has cancelled."""
    if x == 2:
        inner = asyncio.ensure_future(asyncio.sleep(60))
        inner.cancel()
        await inner
    return x


@pytest.mark.parametrize("way", ["execute", "execute_async"])
@pytest.mark.parametrize("timeout", [None, 60.0])
def test_a_cancellation_inside_a_branch_fails_it(way, timeout, in_memory):
    branch = task("s", cancels_itself, "y", timeout_seconds=timeout).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    with pytest.raises(
        ExecutionFailedError, match="it awaited was cancelled"
    ) as caught:
        running = getattr(Pipeline(steps=[step]), way)(
            parameters={"xs": [1, 2, 3]}, services=in_memory
        )
        if way == "execute_async":
            asyncio.run(running)
    assert caught.value.__cause__.branches == ["m.2"]
    assert caught.value.run_log.status == "FAIL"


@pytest.mark.parametrize("parallelism", ["none", "thread", "process"])
@pytest.mark.parametrize("path", ["p.b", "p.b.s", "p"])
def test_a_store_that_fails_in_a_branch_ends_the_run(parallelism, path, in_memory):
    """It is no failure of the step, so no failure path hides it."""
    from runnable.datastore.memory import MemoryRunLogStore

    class Full(MemoryRunLogStore):
        def create(self, run_id, first):
            journal = super().create(run_id, first)
            append = journal.append

            def fail(*records):
                if path in {getattr(it, "path", "") for it in records}:
                    raise OSError(28, "No space left on device")
                append(*records)

            journal.append = fail
            return journal

    one = task("s", value(1), "x").as_pipeline()
    step = Parallel(name="p", branches={"a": one, "b": one}, parallelism=parallelism)
    step.on_failure = Stub(name="mend").as_pipeline()
    store = Full()
    with pytest.raises(ExecutionFailedError, match="could not be recorded") as caught:
        executed(step, {**in_memory, "run_log_store": store})
    assert isinstance(caught.value.__cause__, OSError)
    run_log = caught.value.run_log
    assert run_log.status == "FAIL"
    assert "mend" not in run_log.steps


def test_a_reducer_that_fails_leaves_nothing_of_its_map(in_memory):
    branch = task("s", lambda x: (1, "text"), "a", "b").as_pipeline()
    step = Map(
        name="m", branch=branch, iterate_on="xs", iterate_as="x", reducer=math.fsum
    )
    step.reducer = "lambda *x: sum(x)"
    step.on_failure = Stub(name="mend").as_pipeline()
    run_log = executed(step, in_memory, xs=[1])
    assert list(run_log.parameters) == ["xs"]


def test_parameters_of_a_branch_are_visible_inside(in_memory):
    """Also under the name of the item, or of the number."""
    branch = Pipeline(
        steps=[
            task("a", lambda x: 10 * x, "x"),
            task("b", lambda x: x + 1, "y"),
        ]
    )
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    run_log = executed(step, in_memory, xs=[1, 2])
    assert run_log.parameters["y"].value == [11, 21]
    seen = run_log.search_step_by_internal_name("m.2.b")[0].attempts[0]
    assert seen.input_parameters["x"].value == 20

    steps = [
        task("a", lambda i, seen=(): ([*seen, i], 100), "seen", "i"),
        task("b", lambda i, seen: (i == 100, len(seen) == 3), "right", "done"),
    ]
    loop = Loop(
        name="l",
        branch=Pipeline(steps=steps),
        max_iterations=9,
        break_on="done",
        index_as="i",
    )
    run_log = executed(loop, in_memory)
    assert run_log.parameters["seen"].value == [0, 1, 2]
    assert run_log.parameters["right"].value is True


def test_the_first_iteration_sees_earlier_parameters_only(in_memory):
    steps = [task("a", lambda later: later), task("b", value(1), "later")]
    loop = Loop(
        name="l",
        branch=Pipeline(steps=steps),
        max_iterations=2,
        break_on="later",
        index_as="i",
    )
    with pytest.raises(ParameterMissingError, match="needs parameter 'later'"):
        executed(loop, in_memory)


def test_every_kind_of_finding_is_listed_at_once():
    with pytest.raises(GraphError) as caught:
        Pipeline(
            steps=[
                Stub(name="a", next_node="a"),
                Stub(name="b", next_node="c"),
                Stub(name="c", next_node="b"),
                Stub(name="d", next_node="nowhere"),
            ]
        )
    text = str(caught.value)
    assert "a -> a" in text
    assert "b -> c -> b" in text
    assert "leads to 'nowhere', which is no step" in text
