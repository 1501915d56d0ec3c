"""D38 to D48: graphs and the classes that describe them."""

import json
from pathlib import Path

import pytest

from runnable import (
    Catalog,
    Conditional,
    Loop,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    Stub,
    load_pipeline,
)
from runnable.exceptions import DefinitionError, PipelineFileError
from tests.support.used import used_by

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}
ran: list[str] = []


@pytest.fixture(autouse=True)
def nothing_ran():
    ran.clear()


def task(name, **more):
    return PythonTask(name=name, function=lambda: ran.append(name), **more)


def bad(name="bad"):
    def function():
        raise ValueError(name)

    return PythonTask(name=name, function=function)


@pytest.mark.parametrize("name", ["success", "fail"])
def test_D38_names_of_ends_are_refused(name):
    with pytest.raises(DefinitionError, match=f"cannot have the name '{name}'"):
        Pipeline(steps=[task(name)])


def test_D39_names_are_unique_with_failure_paths():
    handler = task("b").as_pipeline()
    with pytest.raises(DefinitionError, match="two steps have the name 'b'"):
        Pipeline(steps=[task("a", on_failure=handler), task("b")])


@pytest.mark.parametrize("kind", ["parallel", "map", "conditional", "loop", "stub"])
def test_D40_D41_failure_paths_of_every_kind(kind):
    more = {"name": "s", "on_failure": task("mend").as_pipeline()}
    branch = bad().as_pipeline()
    step = {
        "parallel": lambda: Parallel(branches={"a": branch}, **more),
        "map": lambda: Map(branch=branch, iterate_on="xs", iterate_as="x", **more),
        "conditional": lambda: Conditional(
            branches={"a": branch}, parameter="choice", **more
        ),
        "loop": lambda: Loop(
            branch=branch, max_iterations=2, break_on="done", index_as="i", **more
        ),
        "stub": lambda: Stub(catalog=Catalog(put=["no such file"]), **more),
    }[kind]()
    services = {"run_log_store": {"type": "memory"}}
    pipeline = Pipeline(steps=[step])
    given = {"xs": [1], "choice": "a", "done": False}
    run_log = pipeline.execute(parameters=used_by(pipeline, given), services=services)
    assert run_log.status == "SUCCESS"
    assert ran == ["mend"]


def test_D42_steps_are_values():
    shared = task("a")
    for _ in range(2):
        Pipeline(steps=[shared, task("b")]).execute(services=IN_MEMORY)
        Pipeline(steps=[task("c"), shared]).execute(services=IN_MEMORY)
        shared.as_pipeline().execute(services=IN_MEMORY)
    assert ran == ["a", "b", "c", "a", "a"] * 2


def test_D43_names_of_branches_may_have_dots():
    branches = {"a.b": task("s").as_pipeline(), "c.b": task("s").as_pipeline()}
    run_log = (
        Parallel(name="p", branches=branches).as_pipeline().execute(services=IN_MEMORY)
    )
    assert len(run_log.steps["p"].branches) == 2
    assert ran == ["s", "s"]


def test_D44_any_name_of_a_parameter_and_a_branch():
    step = Conditional(
        name="c",
        parameter="my_param",
        branches={"heads-up": task("s").as_pipeline()},
    )
    step.as_pipeline().execute(parameters={"my_param": "heads-up"}, services=IN_MEMORY)
    assert ran == ["s"]


def test_D45_the_name_of_a_pipeline_is_recorded():
    pipeline = Pipeline(steps=[task("a")], name="daily")
    assert pipeline.return_dag().name == "daily"
    run_log = pipeline.execute(services=IN_MEMORY)
    assert run_log.run_config["dag"]["name"] == "daily"


def test_D46_errors_say_what_is_wrong():
    Path("p.yaml").write_text(
        "dag:\n  start_at: s\n  steps:\n    s: {type: task, command: a.b}\n"
    )
    with pytest.raises(PipelineFileError, match=r"p\.yaml:4:5: .*needs the key 'next'"):
        load_pipeline("p.yaml")
    with pytest.raises(ValueError, match="no setting 'retires'"):
        task("a", retires=2)


def test_D47_max_attempts_and_default_are_honoured():
    Path("p.yaml").write_text(
        """
        dag:
          start_at: flaky
          steps:
            flaky:
              type: task
              command_type: shell
              command: echo x >> tries; test $(wc -l < tries) -eq 3
              max_attempts: 3
              next: choose
            choose:
              type: conditional
              parameter: which
              default: other
              branches:
                one: {start_at: a, steps: {a: {type: stub, next: success}}}
                other: {start_at: b, steps: {b: {type: stub, next: success}}}
              next: success
        """
    )
    run_log = load_pipeline("p.yaml").execute(
        parameters={"which": "none of them"}, services=IN_MEMORY
    )
    assert len(run_log.steps["flaky"].attempts) == 3
    assert list(run_log.steps["choose"].branches) == ["choose.other"]


def test_D48_a_star_import_hides_nothing():
    namespace: dict = {"json": json}
    exec("from runnable import *", namespace)
    assert namespace["json"] is json
    assert "Pipeline" in namespace
