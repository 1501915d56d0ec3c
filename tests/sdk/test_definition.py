"""Wrong settings of steps, pipelines and jobs are one error that names the step."""

import pickle

import pytest

from runnable import Catalog, Map, Pipeline, PythonJob, PythonTask, ShellTask, Stub
from runnable.exceptions import DefinitionError, SettingsError


def work():
    pass


STEP = PythonTask(name="s", function=work)
IN_STEP = {"name": "s", "function": work}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: PythonTask(name="s", function="x"),
            "PythonTask 's': function: Input should be callable; it is 'x'",
        ),
        (
            lambda: PythonTask(**IN_STEP, retries=-1, timeout_seconds="soon"),
            "retries: Input should be greater than or equal to 0; it is -1; timeout_",
        ),
        (lambda: ShellTask(command="true"), "ShellTask: name is needed"),
        (
            lambda: Pipeline(steps=STEP, name="p"),
            "Pipeline 'p': steps: Input should be an instance of Sequence; it is Pyth",
        ),
        (
            lambda: Pipeline(steps=[3]),
            "steps: 3 is not a step",
        ),
        (lambda: Pipeline(steps=[STEP], nme="p"), "Pipeline: there is no setting nme"),
        (
            lambda: PythonTask(**IN_STEP, catalog={"putt": ["a"]}),
            "PythonTask 's': there is no setting catalog.putt",
        ),
        (
            lambda: PythonTask(**IN_STEP, retriess=1),
            "PythonTask 's': there is no setting 'retriess'. Did you mean 'retries'?",
        ),
        (
            lambda: Map(name="m", branch=STEP, iterate_on="x", iterate_as="y"),
            "Map 'm': branch: a branch is a pipeline, and 's' is a step",
        ),
        (
            lambda: Stub(
                name="a", terminate_with_success=True, terminate_with_failure=True
            ),
            "Stub 'a': it ends in success and in failure",
        ),
        (
            lambda: PythonJob(function=3),
            "PythonJob: function: Input should be callable",
        ),
    ],
)
def test_the_error_names_the_step_and_the_setting(make, text):
    with pytest.raises(SettingsError) as caught:
        make()
    assert text in str(caught.value)
    assert "pydantic" not in str(caught.value)
    assert isinstance(caught.value, DefinitionError)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_what_is_right_is_as_before():
    step = PythonTask(**IN_STEP, catalog=Catalog(put=["a"]))
    assert step.model_copy(update={"name": "t"}).name == "t"
    assert PythonTask.model_validate({**IN_STEP}).function is work
