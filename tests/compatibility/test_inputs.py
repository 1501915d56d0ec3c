"""The inputs in a run log are what a task was given, of whatever kind it is."""

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from runnable import (
    AsyncPipeline,
    Map,
    NotebookTask,
    Pipeline,
    PythonTask,
    ShellTask,
    Stub,
    get_run_log,
    pickled,
)
from runnable.exceptions import ExecutionFailedError


def make():
    return 1, "two", pd.DataFrame({"a": [1]}), "x" * 200_000


MAKE = PythonTask(name="make", function=make, returns=["a", "b", pickled("df"), "long"])


def inputs(run_log, step):
    attempt = run_log.search_step_by_internal_name(step)[0].attempts[-1]
    return set(attempt.input_parameters)


def test_commands_and_ends():
    steps = [
        MAKE,
        ShellTask(name="shell", command="test $a = 1"),
        Stub(name="stub"),
        PythonTask(name="all", function=lambda **rest: None),
        PythonTask(name="none", function=lambda: None),
    ]
    run_log = Pipeline(steps=steps).execute(run_id="r1", parameters={"n": 0, "": 5})
    for log in (run_log, get_run_log("r1")):
        # No variable holds an object, or 200,000 bytes, or has no name.
        assert inputs(log, "shell") == {"a", "b", "n"}
        assert inputs(log, "all") == {"a", "b", "df", "long", "n", ""}
        assert inputs(log, "none") == inputs(log, "stub") == set()
        assert inputs(log, "success") == set()


def test_the_failing_end():
    step = PythonTask(name="s", function=lambda a: 1 / 0)
    with pytest.raises(ExecutionFailedError) as caught:
        step.as_pipeline().execute(parameters={"a": 1})
    run_log = caught.value.run_log
    assert inputs(run_log, "s") == {"a"}
    assert inputs(run_log, "fail") == set()


def test_notebooks():
    made = new_notebook(cells=[new_code_cell("print(a)")])
    Path("n.ipynb").write_text(nbformat.writes(made))
    steps = [MAKE, NotebookTask(name="nb", notebook="n.ipynb")]
    run_log = Pipeline(steps=steps).execute()
    assert inputs(run_log, "nb") == {"a", "b", "long"}


@pytest.mark.parametrize("workspace", ["shared", "isolated"])
def test_branches_retries_and_defaults(workspace):
    tries = []

    def use(x, a, missing=3):
        tries.append(x)
        if len(tries) == 1 and workspace == "shared":
            raise ValueError
        return x

    step = PythonTask(
        name="s", function=use, returns=["y"], retries=1, workspace=workspace
    )
    step = Map(name="m", iterate_on="xs", iterate_as="x", branch=step.as_pipeline())
    run_log = step.as_pipeline().execute(parameters={"xs": [1], "a": 2})
    attempts = run_log.search_step_by_internal_name("m.1.s")[0].attempts
    assert len(attempts) == (2 if workspace == "shared" else 1)
    for attempt in attempts:
        given = {name: it.value for name, it in attempt.input_parameters.items()}
        assert given == {"x": 1, "a": 2}


async def test_of_a_run_on_an_event_loop():
    async def use(a):
        return a

    steps = [PythonTask(name="use", function=use)]
    run_log = await AsyncPipeline(steps=steps).execute_async(parameters={"a": 1})
    assert inputs(run_log, "use") == {"a"}
