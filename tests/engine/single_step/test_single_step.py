"""Runs whose steps are run one by one, as a cluster would."""

import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from random_pipelines import PARAMETERS, comparable, drawn_pipelines

from containers import container
from containers.in_memory import in_memory_container
from runnable import (
    ExecutionFailedError,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    delete_runs,
    get_run_log,
    list_runs,
)
from runnable.datastore.file_system import FileSystemRunLogStore
from runnable.datastore.memory import MemoryRunLogStore
from runnable.defaults import LOOP_PLACEHOLDER, MAP_PLACEHOLDER
from runnable.engine import Iteration, deletion_record
from runnable.exceptions import (
    DefinitionError,
    NodeMethodCallError,
    NodeNotFoundError,
    ParameterMissingError,
    RetryValidationError,
    RunError,
    RunLogNotFoundError,
    RunnableError,
)
from runnable.graph import CompositeNode, LoopNode, MapNode
from runnable.scope.options import Options
from runnable.sdk.single_step import (
    SingleStepRequest,
    close_branches,
    open_branches,
    run_single_step,
)
from tests.support.gates import wait_until
from tests.support.used import used_by

COMMAND = ["-m", "runnable.cli"]


class Driver:
    """Runs a pipeline as somebody who has each part of it run elsewhere."""

    def __init__(self, pipeline, services, parameters=PARAMETERS, by_name=False):
        self.by_name = by_name
        given = used_by(pipeline, parameters)
        self.options = Options(run_id="r1", services=services, parameters=given)
        self.program = pipeline.execute
        self.graph = pipeline.return_dag()

    def call(self, function, path, iteration=None):
        return function(
            SingleStepRequest(
                self.program, path, iteration or Iteration(), self.options
            )
        )

    def run(self, graph=None, path="", iteration=None):
        graph, iteration = graph or self.graph, iteration or Iteration()
        name = graph.start_at
        while True:
            node = graph.nodes[name]
            step = f"{path}{name}"
            if isinstance(node, CompositeNode):
                succeeded = self.branches(node, step, iteration)
            else:
                succeeded = self.call(run_single_step, step, iteration).succeeded
            if name in {"success", "fail"}:
                return
            name = node.next_node if succeeded else node.on_failure or "fail"

    def branches(self, node, step, iteration):
        while True:
            try:
                opened = self.call(open_branches, step, iteration)
            except NodeMethodCallError:
                raise
            except RunnableError:
                return False
            for branch in opened:
                self.branch(node, step, branch, iteration)
            ended = self.call(close_branches, step, iteration)
            if ended is not None:
                return ended.succeeded

    def branch(self, node, step, branch, iteration):
        given = iteration.model_dump()
        name = branch.name
        if isinstance(node, MapNode) and self.by_name:
            # Of maps in maps that name their items alike, no more can be said.
            self.run(next(iter(node.branches.values())), f"{step}.{name}.", iteration)
            return
        if isinstance(node, MapNode):
            given["map_variable"][node.iterate_as] = {
                "value": branch.variables[node.iterate_as]
            }
            name = MAP_PLACEHOLDER
        elif isinstance(node, LoopNode):
            given["loop_variable"].append({"value": int(branch.name)})
            name = LOOP_PLACEHOLDER
        inner = node.branches.get(name) or node.branches[branch.name]
        self.run(inner, f"{step}.{name}.", Iteration.model_validate(given))


def in_memory():
    return {"run_log_store": MemoryRunLogStore(), "catalog": {"type": "do-nothing"}}


def without_reasons(log):
    """Leave out why branches failed: here, only what is recorded of it is known."""
    if isinstance(log, dict):
        return {
            key: without_reasons(it)
            for key, it in log.items()
            if not (key == "message" and log.get("branches"))
        }
    return [without_reasons(it) for it in log] if isinstance(log, list) else log


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(drawn_pipelines())
def test_a_run_in_parts_has_the_log_of_a_run_in_one(pipeline):
    services = in_memory()
    sequence = {"type": "local", "parallelism": "none"}
    try:
        whole = pipeline.execute(
            parameters=PARAMETERS,
            services={**in_memory(), "pipeline_executor": sequence},
        )
    except ExecutionFailedError as failed:
        whole = failed.run_log
    Driver(pipeline, services, by_name=True).run()
    parts = get_run_log("r1", services=services)
    assert without_reasons(comparable(parts)) == without_reasons(comparable(whole))


def test_branches_are_found_by_their_items():
    services = in_memory()
    inner = Map(name="n", branch=pair(), iterate_on="ys", iterate_as="y")
    outer = Map(name="m", branch=inner.as_pipeline(), iterate_on="xs", iterate_as="x")
    parameters = {"xs": [1, "a.b", {"k": [1]}, True], "ys": [2, None]}
    Driver(outer.as_pipeline(), services, parameters).run()
    run_log = get_run_log("r1", services=services)
    assert run_log.status == "SUCCESS"
    assert run_log.parameters["z"].value == [
        [[x, 2], [x, None]] for x in parameters["xs"]
    ]


def pair():
    def both(x, y):
        return [x, y]

    return PythonTask(name="s", function=both, returns=["z"]).as_pipeline()


def flaky(calls=[]):  # noqa: B006 - counts its calls
    calls.append(1)
    if len(calls) == 1:
        raise ValueError("at first")
    return len(calls)


def test_a_part_that_failed_is_tried_again_when_it_is_asked_for():
    step = PythonTask(name="s", function=lambda: flaky(), returns=["n"])
    services = in_memory()
    driver = Driver(step.as_pipeline(), services, {})
    assert driver.call(run_single_step, "s") == (False, "ValueError: at first")
    assert driver.call(run_single_step, "s") == (True, "")
    assert driver.call(run_single_step, "s").succeeded  # it is not run again
    assert driver.call(run_single_step, "success").succeeded
    assert driver.call(run_single_step, "success").succeeded  # nor is its end
    for name in ("s", "fail"):
        with pytest.raises(RunError, match="the run has ended, as SUCCESS"):
            driver.call(run_single_step, name)
    run_log = get_run_log("r1", services=services)
    assert (run_log.status, run_log.parameters["n"].value) == ("SUCCESS", 2)
    assert [it.status for it in run_log.steps["s"].attempts] == ["FAIL", "SUCCESS"]


def mapped():
    one = PythonTask(name="s", function=lambda x: x, returns=["y"]).as_pipeline()
    step = Map(name="m", branch=one, iterate_on="xs", iterate_as="x")
    other = PythonTask(name="o", function=lambda: 1, returns=["z"])
    return Pipeline(steps=[other, step])


def test_steps_that_cannot_run_are_refused():
    services = in_memory()
    driver = Driver(mapped(), services, {"xs": [1]})
    driver.call(run_single_step, "o")
    with pytest.raises(NodeMethodCallError, match="'o' is a task"):
        driver.call(open_branches, "o")
    with pytest.raises(NodeNotFoundError, match="Did you mean 'm'"):
        driver.call(run_single_step, "mm")
    with pytest.raises(RunError, match="fan out first"):
        driver.call(run_single_step, f"m.{MAP_PLACEHOLDER}.s")
    driver.call(open_branches, "m")
    with pytest.raises(RunError, match=r"have not ended: m\.1"):
        driver.call(close_branches, "m")
    with pytest.raises(RunError, match=r"has no branch '2'; .* started: 1"):
        driver.call(
            run_single_step,
            f"m.{MAP_PLACEHOLDER}.s",
            Iteration(map_variable={"x": {"value": 2}}),
        )
    with pytest.raises(RunError, match="--iter-variable needs 'x'"):
        driver.call(run_single_step, f"m.{MAP_PLACEHOLDER}.s")
    with pytest.raises(RunError, match=r"not its turn, step 'm\.1\.s' has not ended"):
        driver.call(run_single_step, "m.1.success")
    with pytest.raises(RunError, match="not its turn, step 'm' has not ended"):
        driver.call(run_single_step, "success")
    with pytest.raises(RunError, match="not its turn, step 'm' has not ended"):
        driver.call(run_single_step, "fail")
    other = Driver(Pipeline(steps=[PythonTask(name="o", function=len)]), services)
    with pytest.raises(
        RetryValidationError, match="no pipeline of the program is the run's"
    ):
        other.call(run_single_step, "o")


def nothing():
    pass


def test_a_branch_that_has_failed_is_opened_again():
    """As a cluster does that tries the steps of a map once more."""
    fails = [True]

    def flaky(x):
        if fails:
            raise ValueError("not yet")
        return x

    branch = PythonTask(name="s", function=flaky, returns=["y"]).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    services = in_memory()
    driver = Driver(step.as_pipeline(), services, {"xs": ["a", "b"]})
    driver.call(open_branches, "m")
    for branch in ("m.a", "m.b"):
        assert not driver.call(run_single_step, f"{branch}.s").succeeded
        assert driver.call(run_single_step, f"{branch}.fail").succeeded
        with pytest.raises(RunError, match=f"branch '{branch}' has ended, as FAIL"):
            driver.call(run_single_step, f"{branch}.s")
    assert not driver.call(close_branches, "m").succeeded
    fails.clear()
    assert [it.name for it in driver.call(open_branches, "m")] == ["a", "b"]
    for branch in ("m.a", "m.b"):
        for name in ("s", "success", "success"):
            assert driver.call(run_single_step, f"{branch}.{name}").succeeded
    for _ in range(2):
        assert driver.call(close_branches, "m").succeeded
    assert driver.call(open_branches, "m") == []
    driver.call(run_single_step, "success")
    run_log = get_run_log("r1", services=services)
    assert (run_log.status, run_log.parameters["y"].value) == ("SUCCESS", ["a", "b"])


def test_equal_items_are_distinguished_by_name():
    branch = PythonTask(name="s", function=lambda x: x, returns=["y"]).as_pipeline()
    step = Map(name="m", branch=branch, iterate_on="xs", iterate_as="x")
    driver = Driver(step.as_pipeline(), in_memory(), {"xs": [1, 1]})
    driver.call(open_branches, "m")
    given = Iteration(map_variable={"x": {"value": 1}})
    with pytest.raises(RunError, match=r"name one: m\.1, m\.1~2"):
        driver.call(run_single_step, f"m.{MAP_PLACEHOLDER}.s", given)
    assert driver.call(run_single_step, "m.1~2.s").succeeded
    with pytest.raises(NodeNotFoundError):
        driver.call(run_single_step, "m.1")


def test_overrides_of_the_program_hold():
    mine, other = in_memory(), MemoryRunLogStore()
    step = PythonTask(name="s", function=nothing).as_pipeline()

    def program():
        with container.run_log_store.override(other):
            step.execute(services=mine)

    asked = SingleStepRequest(program, "s", Iteration(), Options(run_id="r1"))
    assert run_single_step(asked).succeeded
    assert other.list_run_ids() == ["r1"]
    assert mine["run_log_store"].list_run_ids() == []
    with pytest.raises(RunLogNotFoundError):
        run_single_step(asked._replace(options=Options(run_id="r2"), joins_only=True))


def test_the_container_of_the_program_holds():
    mine = in_memory_container(Path.cwd)
    step = PythonTask(name="s", function=nothing).as_pipeline()

    def program():
        step.execute(container=mine)

    asked = SingleStepRequest(program, "s", Iteration(), Options(run_id="r1"))
    assert run_single_step(asked).succeeded
    asked = asked._replace(name="success", joins_only=True)
    assert run_single_step(asked).succeeded
    assert get_run_log("r1", container=mine).status == "SUCCESS"


def test_a_program_that_leaves():
    with pytest.raises(DefinitionError, match="executes no pipeline"):
        run_single_step(
            SingleStepRequest(
                lambda: sys.exit(0), "s", Iteration(), Options(run_id="r1")
            )
        )


def test_the_other_way_is_closed():
    step = PythonTask(name="s", function=nothing)
    step.on_failure = PythonTask(name="mend", function=nothing).as_pipeline()
    driver = Driver(step.as_pipeline(), in_memory(), {})
    driver.call(run_single_step, "s")
    for name in ("mend", "fail"):
        with pytest.raises(RunError, match="cannot be run"):
            driver.call(run_single_step, name)


def test_a_run_begins_with_all_that_it_needs():
    driver = Driver(PythonTask(name="s", function=len).as_pipeline(), in_memory(), {})
    with pytest.raises(ParameterMissingError, match="'obj'"):
        driver.call(run_single_step, "s")


def test_of_several_pipelines_the_one_of_the_run_is_found():
    def program():
        for name in ("a", "b"):
            PythonTask(name=name, function=nothing).as_pipeline().execute()

    services = in_memory()
    Driver(PythonTask(name="b", function=nothing).as_pipeline(), services).call(
        run_single_step, "b"
    )
    options = Options(run_id="r1", services=services)
    assert run_single_step(
        SingleStepRequest(program, "success", Iteration(), options)
    ).succeeded


def test_branches_whose_names_are_no_paths():
    def make(name):
        return PythonTask(name="s", function=lambda: 1, returns=[name]).as_pipeline()

    step = Parallel(name="p", branches={"a.b": make("x"), "a b": make("y")})
    services = in_memory()
    driver = Driver(Pipeline(steps=[step]), services, {})
    assert [it.name for it in driver.call(open_branches, "p")] == ["a%2Eb", "a b"]
    for name in ("a%2Eb", "a b"):
        driver.call(run_single_step, f"p.{name}.s")
        driver.call(run_single_step, f"p.{name}.success")
    assert driver.call(close_branches, "p").succeeded
    driver.call(run_single_step, "success")
    run_log = get_run_log("r1", services=services)
    assert {name: it.value for name, it in run_log.parameters.items()} == {
        "x": 1,
        "y": 1,
    }


SCRIPT = """
from pathlib import Path
from runnable import Pipeline, PythonTask

def wait():
    Path("inside").touch()
    while not Path("go on").exists():
        time.sleep(0.01)
    return os.getpid()

import os, sys, time
pipeline = Pipeline(steps=[
    PythonTask(name="a", function=lambda: 1, returns=["x"]),
    PythonTask(name="b", function=wait, returns=["y"]),
])
if __name__ == "__main__":
    pipeline.execute(run_id="r1")
"""


@contextmanager
def another_process(*arguments):
    """Has another process run `b`, which goes on until the block is left."""
    Path("script.py").write_text(SCRIPT)
    process = subprocess.Popen([sys.executable, *arguments])
    try:
        wait_until(Path("inside").exists)
        yield process
    finally:
        Path("go on").touch()
        process.wait()


def part(name):
    return [*COMMAND, "execute-single-node", "r1", "script.py", name]


def finished(command):
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60
    )


def test_a_step_of_a_run_that_a_process_runs_by_itself_is_left_alone():
    with another_process("script.py") as owner:
        refused = finished([sys.executable, *part("b")])
        assert refused.returncode == 2
        assert f"process {owner.pid}" in refused.stderr
    run_log = get_run_log("r1")
    assert run_log.status == "SUCCESS"
    assert run_log.parameters["y"].value == owner.pid
    (attempt,) = run_log.steps["b"].attempts
    assert attempt.status == "SUCCESS"


def test_of_two_processes_that_run_a_step_the_first_one_has_it():
    Path("script.py").write_text(SCRIPT)
    assert finished([sys.executable, *part("a")]).returncode == 0
    with another_process(*part("b")) as owner:
        refused = finished([sys.executable, *part("b")])
        assert refused.returncode == 2
        assert f"process {owner.pid}" in refused.stderr
    assert owner.returncode == 0
    assert get_run_log("r1").parameters["y"].value == owner.pid


def test_a_run_whose_deletion_was_begun_is_not_revived():
    Path("script.py").write_text(SCRIPT)
    assert finished([sys.executable, *part("a")]).returncode == 0
    store = FileSystemRunLogStore()
    store.reopen("r1", deletion_record(), len(list(store.read("r1")))).close()
    refused = finished([sys.executable, *part("b")])
    assert refused.returncode == 2
    assert "its deletion started" in refused.stderr
    assert [it.status for it in list_runs()] == ["DAMAGED"]
    assert delete_runs(["r1"]) == ["r1"]


def test_the_end_that_is_asked_for_again_changes_nothing():
    Path("go on").touch()
    Path("script.py").write_text(SCRIPT)
    for name in ("a", "b", "success", "success"):
        assert finished([sys.executable, *part(name)]).returncode == 0
    assert [it.status for it in list_runs()] == ["SUCCESS"]
