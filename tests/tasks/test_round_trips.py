"""Any value, through each kind of task and back from the store: exact, or refused."""

import math
import tempfile
from pathlib import Path

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

from runnable import (
    NotebookTask,
    Pipeline,
    PythonTask,
    ShellTask,
    get_run_log,
)
from runnable.exceptions import RunnableError

SEEDS = [
    "$(touch pwned)", "`id`", "a'b\"c", "a\nb=c\n", "\0", "\ud800", "=", "", " x ",
    "\\", "%s{x}", "\x1b[31m", "\N{SNOWMAN}", "true", "null", "[1", "1e5", "-",
]  # fmt: skip
texts = st.text() | st.sampled_from(SEEDS) | st.characters().map(lambda c: c * 3)
numbers = (
    st.integers() | st.sampled_from([10**4200, -(10**4200), 2**63, -0.0]) | st.floats()
)
values = st.recursive(
    texts | numbers | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
    ),
    max_leaves=8,
)


def same(left, right):
    """Tell whether two values are of the same types and equal, NaN to itself."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        if math.isnan(left) or math.isnan(right):
            return math.isnan(left) and math.isnan(right)
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(
            same(left[key], right[key]) for key in left
        )
    return left == right


def through(step, value):
    """Run a step with a value; return what the store has of what it returned.

    Nothing but our own errors may come out of it.
    """
    with tempfile.TemporaryDirectory() as folder:
        services = {
            "run_log_store": {
                "type": "file-system",
                "config": {"log_folder": f"{folder}/logs"},
            },
            "catalog": {
                "type": "file-system",
                "config": {"catalog_location": f"{folder}/catalog"},
            },
        }
        try:
            run_log = Pipeline(steps=[step]).execute(
                parameters={"x": value}, services=services
            )
        except RunnableError as error:
            refusal = error.__cause__ or error
            if isinstance(refusal, RunnableError) and str(refusal):
                return None
            raise
        again = get_run_log(run_log.run_id, services=services)
        assert same(again.parameters["y"].value, run_log.parameters["y"].value)
        return again.parameters["y"]


@given(value=values)
@settings(max_examples=150, deadline=None)
def test_python(value):
    back = through(PythonTask(name="s", function=lambda x: x, returns=["y"]), value)
    assert back is not None
    assert same(back.value, value)


@given(
    value=texts.map(str) | st.lists(texts, max_size=3) | st.booleans() | st.integers()
)
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_shell(value):
    """Text that is JSON by chance comes back as what it says, as documented."""
    import json

    step = ShellTask(name="s", command='export y="$x"', returns=["y"])
    back = through(step, value)
    assert not Path("pwned").exists()
    if back is None:
        text = value if isinstance(value, str) else json.dumps(value)
        assert "\0" in text or not text.isascii()
        return
    expected = value
    if isinstance(value, str):
        try:
            expected = json.loads(value)
        except ValueError:
            expected = value
    assert same(back.value, expected)


@given(many=st.lists(values, min_size=30, max_size=60))
@settings(max_examples=4, deadline=None)
def test_notebook(many):
    folder = Path(tempfile.mkdtemp())
    cell = new_code_cell("y = x")
    (folder / "n.ipynb").write_text(nbformat.writes(new_notebook(cells=[cell])))
    step = NotebookTask(name="s", notebook=str(folder / "n.ipynb"), returns=["y"])
    back = through(step, [*SEEDS, *many])
    assert back is not None
    assert same(back.value, [*SEEDS, *many])


def test_an_integer_without_end_is_refused():
    step = PythonTask(name="s", function=lambda x: 10**5000, returns=["y"])
    assert through(step, 1) is None


@pytest.mark.parametrize(
    "value", [float("nan"), 10**4200, "\ud800\0", [-0.0, {"": []}]]
)
def test_extremes_come_back(value):
    back = through(PythonTask(name="s", function=lambda x: x, returns=["y"]), value)
    assert same(back.value, value)
