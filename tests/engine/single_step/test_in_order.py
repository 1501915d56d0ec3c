"""Runs whose steps an orchestrator starts in their order, some of which are killed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_pipelines import PARAMETERS, comparable, drawn_pipelines

from runnable import (
    ExecutionFailedError,
    Parallel,
    Pipeline,
    PythonTask,
    get_run_log,
)
from runnable.datastore import StepStarted
from runnable.datastore.memory import MemoryRunLogStore
from runnable.defaults import LOOP_PLACEHOLDER, MAP_PLACEHOLDER
from runnable.engine import Iteration
from runnable.exceptions import (
    NodeMethodCallError,
    RunError,
    RunLogExistsError,
    RunnableError,
)
from runnable.graph import CompositeNode, LoopNode, MapNode, StepNode
from runnable.scope.options import Options
from runnable.sdk.single_step import (
    SingleStepRequest,
    close_branches,
    end_branch,
    open_branches,
    run_single_step,
)


def in_memory():
    return {"run_log_store": MemoryRunLogStore(), "catalog": {"type": "do-nothing"}}


class Orchestrator:
    """Runs a pipeline as Argo does: it knows exit statuses, and numbers of branches."""

    def __init__(self, pipeline, services, parameters=PARAMETERS, killed=()):
        self.services = services
        self.options = Options(run_id="r1", services=services, parameters=parameters)
        self.program, self.graph = pipeline.execute, pipeline.return_dag()
        self.killed = set(killed)

    def call(self, function, path, numbers=()):
        iteration = Iteration(branch_numbers=list(numbers))
        return function(
            SingleStepRequest(
                self.program, path, iteration, self.options, in_order=True
            )
        )

    def run(self):
        self.sequence(self.graph, "", ())
        self.call(end_branch, "success")

    def sequence(self, graph, path, numbers):
        name = graph.start_at
        while isinstance(node := graph.nodes[name], StepNode):
            step = f"{path}{name}"
            if isinstance(node, CompositeNode):
                succeeded = self.composite(node, step, numbers)
            else:
                succeeded = self.step(step, numbers)
            name = node.next_node if succeeded else node.on_failure or "fail"

    def step(self, step, numbers):
        if step.rpartition(".")[2] not in self.killed:
            return self.call(run_single_step, step, numbers).succeeded
        # What is left of a process that was killed.
        store = self.services["run_log_store"]
        log = get_run_log("r1", services=self.services)
        path = resolved(step, numbers, log)
        journal = store.join("r1")
        journal.append(StepStarted("", path, path.rpartition(".")[2], "task", 1))
        journal.close()
        return False

    def composite(self, node, step, numbers):
        while True:
            try:
                opened = self.call(open_branches, step, numbers)
            except NodeMethodCallError:
                raise
            except RunnableError:
                return False
            names = list(node.branches)
            for branch in opened:
                if isinstance(node, MapNode | LoopNode):
                    (name,), inner = names, (*numbers, branch.number)
                else:
                    name, inner = names[branch.number], numbers
                self.sequence(node.branches[name], f"{step}.{name}.", inner)
            ended = self.call(close_branches, step, numbers)
            if ended is not None:
                return ended.succeeded


def resolved(step, numbers, log):
    """Return the path of a step in the run, given its placeholders."""
    numbers, path, steps = iter(numbers), [], log.steps
    names = step.split(".")
    for name, placeholder in zip(names[:-1:2], names[1::2], strict=False):
        path.append(name)
        branches, branch = steps[".".join(path)].branches, placeholder
        if placeholder in {MAP_PLACEHOLDER, LOOP_PLACEHOLDER}:
            branch = list(branches)[next(numbers)].rpartition(".")[2]
        path.append(branch)
        steps = branches[".".join(path)].steps
    return ".".join([*path, names[-1]])


def without_reasons(log):
    if isinstance(log, dict):
        return {key: without_reasons(it) for key, it in log.items() if key != "message"}
    return [without_reasons(it) for it in log] if isinstance(log, list) else log


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(drawn_pipelines())
def test_a_run_in_order_has_the_log_of_a_run_in_one(pipeline):
    sequence = {"type": "local", "parallelism": "none"}
    try:
        whole = pipeline.execute(
            parameters=PARAMETERS,
            services={**in_memory(), "pipeline_executor": sequence},
        )
    except ExecutionFailedError as failed:
        whole = failed.run_log
    services = in_memory()
    Orchestrator(pipeline, services).run()
    parts = get_run_log("r1", services=services)
    assert without_reasons(comparable(parts)) == without_reasons(comparable(whole))


def outcomes(log):
    """Return how steps and branches have ended, by path."""
    found = {}
    for step in log.all_steps():
        found[step.internal_name] = step.status
        found |= {path: it.status for path, it in step.branches.items()}
    return found


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=60)
@given(drawn_pipelines(), st.sets(st.integers(0, 9), max_size=4))
def test_a_step_that_is_killed_has_failed(drawn, numbers):
    first = PythonTask(name="first", function=lambda: 0)
    pipeline = Pipeline(steps=[first, *drawn.steps])
    doomed = {f"t{it}" for it in numbers}
    services = in_memory()
    Orchestrator(pipeline, services, killed=doomed).run()
    log = get_run_log("r1", services=services)
    found = outcomes(log)
    # Nothing is left open, and whoever was killed has failed.
    assert log.status in {"SUCCESS", "FAIL"}
    assert set(found.values()) <= {"SUCCESS", "FAIL"}
    killed = [it for it in found if it.rpartition(".")[2] in doomed]
    assert {found[it] for it in killed} <= {"FAIL"}


def two():
    return Pipeline(
        steps=[
            PythonTask(name="a", function=lambda: 1, returns=["x"]),
            PythonTask(name="b", function=lambda x: x + 1, returns=["y"]),
        ]
    )


def test_the_last_step_ends_the_run():
    services = in_memory()
    driver = Orchestrator(two(), services, {})
    driver.call(run_single_step, "a")
    assert get_run_log("r1", services=services).status == "PROCESSING"
    driver.call(run_single_step, "b")
    log = get_run_log("r1", services=services)
    assert (log.status, log.parameters["y"].value) == ("SUCCESS", 2)
    assert driver.call(end_branch, "success").succeeded


def test_steps_that_never_started_are_said():
    services = in_memory()
    driver = Orchestrator(two(), services, {})
    driver.call(run_single_step, "a")
    assert not driver.call(end_branch, "success").succeeded
    log = get_run_log("r1", services=services)
    assert log.status == "FAIL"
    assert "did not start" in log.steps["b"].attempts[0].message
    # A step that is started nevertheless goes on with the run.
    assert driver.call(run_single_step, "b").succeeded
    assert get_run_log("r1", services=services).status == "SUCCESS"


def test_a_step_out_of_turn_is_refused():
    driver = Orchestrator(two(), in_memory(), {})
    with pytest.raises(RunError, match="it is not its turn, step 'a' has not ended"):
        driver.call(run_single_step, "b")


def test_a_run_of_another_workflow_is_left_alone(monkeypatch):
    services = in_memory()
    driver = Orchestrator(two(), services, {})
    monkeypatch.setenv("RUNNABLE_CODE_ID_ARGO_WORKFLOW_UID", "one")
    driver.call(run_single_step, "a")
    monkeypatch.setenv("RUNNABLE_CODE_ID_ARGO_WORKFLOW_UID", "two")
    monkeypatch.setenv("error_on_existing_run_id", "true")
    with pytest.raises(RunLogExistsError):
        driver.call(run_single_step, "a")
    monkeypatch.delenv("error_on_existing_run_id")
    for function, path in ((end_branch, "success"), (run_single_step, "b")):
        with pytest.raises(RunError, match="neither begun nor resumed"):
            driver.call(function, path)
    assert get_run_log("r1", services=services).status == "PROCESSING"


def test_steps_that_are_started_again_together_resume_the_run_once(monkeypatch):
    monkeypatch.setenv("RUNNABLE_CODE_ID_ARGO_WORKFLOW_UID", "one")
    calls = {"a": 0, "b": 0}
    together = threading.Barrier(2)

    def fragile(name):
        def call():
            calls[name] += 1
            if calls[name] == 1:
                raise ValueError("at first")
            together.wait(30)

        return PythonTask(name=name, function=call).as_pipeline()

    both = Parallel(name="p", branches={it: fragile(it) for it in calls})
    driver = Orchestrator(both.as_pipeline(), in_memory(), {})
    driver.run()
    with ThreadPoolExecutor() as pool:
        again = pool.map(
            lambda it: driver.call(run_single_step, f"p.{it}.{it}").succeeded, calls
        )
        assert list(again) == [True, True]
    assert driver.call(close_branches, "p").succeeded
    assert get_run_log("r1", services=driver.services).status == "SUCCESS"
