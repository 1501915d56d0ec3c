"""Values that a step returns and another one cannot use, found when it is built."""

import builtins
import functools
import io
import subprocess
import sys
import types
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import (
    Annotated,
    Any,
    BinaryIO,
    NamedTuple,
    TextIO,
    TypedDict,
    Union,
    get_args,
    get_origin,
)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, BeforeValidator, TypeAdapter, model_validator

from runnable import (
    AsyncPythonTask,
    Conditional,
    Loop,
    Map,
    Parallel,
    Pipeline,
    PythonTask,
    ShellTask,
    Stub,
    load_pipeline,
    pickled,
)
from runnable.exceptions import (
    GraphError,
    ParameterTypeError,
    ParameterUnknownError,
    PipelineFileError,
)
from runnable.parameters.fitting import clashes
from runnable.parameters.value_types import ValueType

IN_MEMORY = {"run_log_store": {"type": "memory"}, "catalog": {"type": "do-nothing"}}


class Fitted(NamedTuple):
    slope: float
    names: list[str]


class Row(BaseModel):
    number: int
    name: str


class Short(TypedDict):
    number: int


@dataclass
class Point:
    x: int
    y: int


class Plain:
    pass


class Other:
    pass


def giving(annotation, *names, step="give"):
    def give():
        raise NotImplementedError

    give.__annotations__ = {"return": annotation}
    return PythonTask(name=step, function=give, returns=list(names or ("x",)))


def taking(annotation, *, default=False, step="take"):
    def take(x):
        raise NotImplementedError

    def take_or_not(x=None):
        raise NotImplementedError

    function = take_or_not if default else take
    function.__annotations__ = {"x": annotation}
    return PythonTask(name=step, function=function)


def findings(*steps, **more):
    try:
        Pipeline(steps=list(steps), **more)
    except ParameterTypeError as error:
        return error.findings
    return []


CLASHES = [
    (int, str),
    (str, int),
    (float, int),
    (int, bool),
    (list[int], list[str]),
    (list[str], dict[str, str]),
    (list[int], tuple[str, str]),
    (dict[str, int], dict[str, list[int]]),
    (int | str, list[int]),
    (int, list[int] | None),
    (None, int),
    (Row, int),
    (Short, Row),
    (list[Short], list[Row]),
    (int, Plain),
]
FITS = [
    (int, int),
    (int, float),
    (bool, int),
    (int, int | None),
    (int | None, int),
    (tuple[int, ...], list[int]),
    (list, list[int]),
    (Row, Short),
    (Row, dict),
    (Point, dict[str, int]),
    (dict, Row),
    (str, Path),
    (Any, int),
    (int, Any),
    (int, object),
    (Plain, int),  # refused when it is returned, as no JSON
    ("NotImported", int),
    (int, "NotImported"),
]


@pytest.mark.parametrize(("given_", "wanted"), CLASHES)
@pytest.mark.parametrize("default", [False, True])
def test_types_that_clash(given_, wanted, default):
    (found,) = findings(giving(given_), taking(wanted, default=default))
    assert found.startswith("step 'take': parameter 'x' must be ")
    assert ", but step 'give' returns " in found


@pytest.mark.parametrize(("given_", "wanted"), FITS)
def test_types_that_fit(given_, wanted):
    assert findings(giving(given_), taking(wanted)) == []


@pytest.mark.parametrize(
    ("given_", "wanted", "clash"),
    [
        (Plain, Other, True),
        (Plain, int, True),
        (list[int], str, True),
        (Plain, Plain | None, False),
        (Plain, object, False),
        (list[int], list[str], False),  # elements of objects are not looked at
    ],
)
def test_objects_are_passed_on_as_they_are(given_, wanted, clash):
    found = findings(giving(given_, pickled("x")), taking(wanted))
    assert len(found) == clash


@pytest.mark.parametrize(
    ("annotation", "names", "count"),
    [
        (tuple[int, int], ["a"], "2 values"),
        (tuple[int, str, str], ["a", "b"], "3 values"),
        (int, ["a", "b"], "1 value,"),
        (Row, ["a", "b"], "1 value,"),
        (Fitted, ["a"], "2 values"),
        (tuple[int, ...], ["a", "b"], ""),
        (tuple, ["a", "b"], ""),
        (Any, ["a", "b"], ""),
        (Fitted, ["a", "b"], ""),
        (int | tuple[int, int], ["a", "b"], ""),
        (None, ["a"], ""),
    ],
)
def test_as_many_values_are_returned_as_are_declared(annotation, names, count):
    found = findings(giving(annotation, *names))
    assert len(found) == bool(count)
    assert all(f"{count}" in it and ", ".join(names) in it for it in found)


def test_each_value_of_several_has_its_own_type():
    steps = giving(tuple[int, str], "n", "x"), taking(list)
    assert findings(*steps) == [
        "step 'take': parameter 'x' must be list, but step 'give' returns str"
    ]
    assert findings(giving(Fitted, "x", "names"), taking(float)) == []


def test_asynchronous_functions_and_generators():
    async def later() -> int:
        raise NotImplementedError

    async def stream() -> int:
        yield {"type": "done", "x": "text"}

    def take(x: list[int]):
        raise NotImplementedError

    take = PythonTask(function=take)
    for function, count in ((later, 1), (stream, 0)):
        give = AsyncPythonTask(function=function, returns=["x"])
        assert len(findings(give, take)) == count


def test_the_last_of_several_steps_that_set_a_parameter_counts():
    first, second = giving(str, step="one"), giving(int, step="two")
    assert findings(first, second, taking(int)) == []
    assert len(findings(second, first, taking(int))) == 1


def test_all_paths_to_a_step_are_looked_at():
    def risky(handler):
        return PythonTask(name="risky", function=len, on_failure=handler)

    # What a failure path sets never comes to the steps that it replaces.
    mend = giving(str, step="mend").as_pipeline()
    assert findings(giving(int), risky(mend), taking(int)) == []
    # And it finds what was set before.
    take = taking(str, step="mend").as_pipeline()
    assert len(findings(giving(int), risky(take), taking(int))) == 1


def test_branches():
    inner = Pipeline(steps=[taking(str)])
    step = Parallel(name="p", branches={"a": inner, "b": inner})
    assert findings(giving(int), step) == [
        f"step 'p.{it}.take': parameter 'x' must be str, but step 'give' returns int"
        for it in "ab"
    ]
    after = Parallel(name="p", branches={"a": giving(int).as_pipeline()})
    assert findings(after, taking(str)) == [
        "step 'take': parameter 'x' must be str, but step 'p.a.give' returns int"
    ]
    chosen = Conditional(
        name="c", parameter="which", branches={"a": giving(str).as_pipeline()}
    )
    which = giving(str, "which", step="choose")
    # Which of several it is, is not known; it is refused if none can be right.
    first = giving(float, step="first")
    assert findings(first, which, chosen, taking(float)) == []
    found = findings(first, which, chosen, taking(list))
    assert [it.rpartition("step ")[2] for it in found] == [
        "'c.a.give' returns str",
        "'first' returns float",
    ]
    assert findings(giving(list, "which"), chosen)[0].startswith("step 'c': parameter")


def mapped(branch, **more):
    return Map(name="m", iterate_on="xs", iterate_as="x", branch=branch, **more)


def test_maps():
    take = taking(str).as_pipeline()
    assert findings(giving(int, "xs"), mapped(take))[0].startswith(
        "step 'm': parameter 'xs' must be list"
    )
    assert len(findings(giving(list[int], "xs"), mapped(take))) == 1
    assert findings(giving(list[str], "xs"), mapped(take)) == []
    assert findings(giving(tuple[str, ...], "xs"), mapped(take)) == []
    give = giving(int, "y").as_pipeline()

    def use(y: int):
        raise NotImplementedError

    use = PythonTask(function=use)
    assert len(findings(mapped(give), use)) == 1
    assert findings(mapped(give, reducer="max"), use) == []


def joined(*words: str) -> str:
    raise NotImplementedError


def mean(numbers: list[float]) -> float:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("item", "reducer", "clash"),
    [
        (int, joined, True),
        (str, joined, False),
        (str, mean, True),
        (int, mean, False),
        (str, sum, True),
        (int, "sum", False),
        (str, len, False),
        (str, "lambda *x: x", False),
        (str, "statistics.mean", False),  # imported when it is needed
    ],
)
def test_reducers(item, reducer, clash):
    found = findings(mapped(giving(item, "y").as_pipeline(), reducer=reducer))
    assert len(found) == clash


def test_what_a_reducer_returns_is_what_there_is():
    def use(y: list[int]):
        raise NotImplementedError

    step = mapped(giving(int, "y").as_pipeline(), reducer=mean)
    (found,) = findings(step, PythonTask(function=use))
    assert found.endswith("returns float")


def looped(*steps):
    return Loop(
        name="l",
        break_on="done",
        index_as="x",
        max_iterations=3,
        branch=Pipeline(steps=list(steps)),
    )


def test_loops():
    assert findings(looped(giving(bool, "done"))) == []
    assert findings(looped(giving(str, "done"))) == [
        "step 'l': parameter 'done' must be bool, but step 'l.{x}.give' returns str"
    ]
    assert findings(looped(taking(int), giving(bool, "done"))) == []  # the number
    assert len(findings(looped(taking(str), giving(bool, "done")))) == 1


def test_later_iterations_find_what_earlier_ones_have_set():
    def grow(total: int) -> tuple[str, bool]:
        raise NotImplementedError

    step = PythonTask(function=grow, returns=["total", "done"])
    start = giving(int, "total", step="start")
    (found,) = findings(start, looped(step))
    assert found == (
        "step 'l.{x}.grow': parameter 'total' must be int, "
        "but step 'l.{x}.grow' returns str"
    )


def text_of(function):
    @functools.wraps(function)
    def decorated(*args, **kwargs):
        return str(function(*args, **kwargs))

    return decorated


def split(value):
    return value.split(",") if isinstance(value, str) else value


class Old(TypedDict):
    old: int


class Renamed(BaseModel):
    new: int

    @model_validator(mode="before")
    @classmethod
    def rename(cls, given: Any) -> Any:
        return {"new": given["old"]} if "old" in given else given


def test_decorators_and_validators_may_do_anything():
    @text_of
    def number() -> int:
        return 3

    give = PythonTask(name="give", function=number, returns=["x"])
    assert findings(give, taking(str)) == []
    assert findings(PythonTask(name="p", function=number, returns=["x", "y"])) == []
    words = Annotated[list[str], BeforeValidator(split)]
    assert findings(giving(str), taking(words)) == []
    assert findings(giving(Old), taking(Renamed)) == []


@pytest.mark.parametrize(
    ("given_", "wanted"),
    [
        (io.StringIO, TextIO),
        (io.BytesIO, BinaryIO),
        (np.float32, float),
        (np.bool_, bool),
        (float, complex),
    ],
)
def test_objects_that_only_type_checkers_know_to_fit(given_, wanted):
    assert findings(giving(given_, pickled("x")), taking(wanted)) == []


def test_a_placeholder_that_a_branch_replaces():
    placeholder = giving(None, step="none")
    choose = giving(str, "which", step="choose")
    chosen = Conditional(
        name="c", parameter="which", branches={"a": giving(list[int]).as_pipeline()}
    )
    assert findings(placeholder, choose, chosen, taking(list[int])) == []


def test_what_is_not_known_is_not_looked_at():
    assert findings(ShellTask(name="s", command="", returns=["x"]), taking(int)) == []
    assert findings(Stub(name="s"), taking(int)) == []


def test_a_model_may_be_made_of_one_of_its_fields():
    def use(number: Row):
        raise NotImplementedError

    step = PythonTask(function=use)
    assert findings(giving(int, "number"), step) == []


def test_all_findings_are_in_one_error_which_can_be_switched_off():
    steps = [giving(int), taking(str), taking(list, step="other")]
    with pytest.raises(GraphError) as caught:
        Pipeline(steps=steps, name="mine")
    text = str(caught.value)
    assert text.startswith("pipeline 'mine' cannot run, for 2 reasons:\n  - step")
    assert text.endswith("with check_types=False of the pipeline.")
    lax = Pipeline(steps=steps, check_types=False)
    branch = Parallel(name="p", branches={"a": lax})
    assert Pipeline(steps=[branch]).return_dag()
    run = Pipeline(
        steps=[PythonTask(name="one", function=lambda: 1, returns=["x"]), taking(str)],
    )
    assert run.return_dag()


FLOW = """
def give() -> int: return 1
def take(x: str): print(x)
"""
FILE = """\
dag:
  start_at: give
  steps:
    give: {type: task, command: typed_flow.give, returns: [{name: x}], next: take}
    take: {type: task, command: typed_flow.take, next: success}
"""


@pytest.fixture
def typed_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("typed_flow.py").write_text(FLOW)
    file = Path("typed.yaml")
    file.write_text(FILE)
    yield file
    sys.modules.pop("typed_flow", None)


def test_a_file_is_told_with_its_line(typed_file):
    with pytest.raises(PipelineFileError) as caught:
        load_pipeline(typed_file)
    assert str(caught.value).startswith(
        "typed.yaml:5:5: step 'take': parameter 'x' must be str, but step 'give' "
        "returns int"
    )
    typed_file.write_text(FILE + "  check_types: false\n")
    run_log = load_pipeline(typed_file).execute(services=IN_MEMORY)
    assert run_log.status == "SUCCESS"  # the number becomes text
    typed_file.write_text(FILE + "  check_types: perhaps\n")
    with pytest.raises(PipelineFileError, match="must be true or false"):
        load_pipeline(typed_file)


def test_the_command_line_tells_all(typed_file):
    command = [sys.executable, "-m", "runnable.cli", "check", str(typed_file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "parameter 'x' must be str, but step 'give' returns int" in done.stderr
    assert "Traceback" not in done.stderr


JSON = st.recursive(
    st.sampled_from([int, str, float, bool, type(None)]),
    lambda inner: st.one_of(
        inner.map(lambda it: list[it]),
        inner.map(lambda it: dict[str, it]),
        st.tuples(inner, inner).map(lambda it: tuple[it]),
        st.tuples(inner, inner).map(lambda it: Union[it]),  # noqa: UP007 - at run time
    ),
    max_leaves=5,
)


def values_of(kind):
    """Draw values of a type; an empty list is one of any items, so there is none."""
    parts = [values_of(it) for it in get_args(kind)]
    match get_origin(kind) or kind:
        case builtins.list:
            return st.lists(parts[0], min_size=1, max_size=2)
        case builtins.dict:
            return st.dictionaries(st.text(), parts[1], min_size=1, max_size=2)
        case builtins.tuple:
            return st.tuples(*parts)
        case typing.Union | types.UnionType:
            return st.one_of(parts)
        case builtins.float:
            return st.floats(allow_nan=False, allow_infinity=False)
    return st.from_type(kind)


@given(JSON, JSON, st.data())
def test_nothing_is_refused_that_would_be_accepted_as_it_is(kind, wanted, data):
    value = data.draw(values_of(kind))
    dumped = TypeAdapter(kind).dump_json(value)
    try:
        TypeAdapter(wanted).validate_json(dumped, strict=True)
    except ValueError:
        return
    assert not clashes(ValueType(kind), wanted)


class TestUnknownParameters:
    def test_are_refused_with_a_suggestion(self):
        pipeline = PythonTask(name="s", function=lambda rate=1: rate).as_pipeline()
        with pytest.raises(ParameterUnknownError, match="Did you mean 'rate'"):
            pipeline.execute(parameters={"rat": 1}, services=IN_MEMORY)
        assert pipeline.execute(parameters={"rate": 2}, services=IN_MEMORY)

    async def test_by_each_way_and_of_jobs(self):
        from runnable import PythonJob

        job = PythonJob(function=lambda rate=1: rate)
        with pytest.raises(ParameterUnknownError):
            job.execute(parameters={"rat": 1}, services=IN_MEMORY)
        with pytest.raises(ParameterUnknownError):
            await job.execute_async(parameters={"rat": 1}, services=IN_MEMORY)

    @pytest.mark.parametrize(
        "step",
        [
            ShellTask(name="s", command="echo $anything"),
            Stub(name="s"),
            PythonTask(name="s", function=lambda **rest: None),
        ],
    )
    def test_some_steps_may_use_any(self, step):
        run_log = step.as_pipeline().execute(
            parameters={"anything": 1}, services=IN_MEMORY
        )
        assert run_log.status == "SUCCESS"

    def test_fields_of_models_and_what_composites_use(self):
        def use(row: Row):
            return row.number

        model = PythonTask(function=use, returns=["y"])
        values = {"number": 1, "name": "n"}
        assert model.as_pipeline().execute(parameters=values, services=IN_MEMORY)
        step = mapped(PythonTask(name="s", function=lambda x: x).as_pipeline())
        assert step.as_pipeline().execute(parameters={"xs": [1]}, services=IN_MEMORY)

    def test_files_and_variables_may_have_more(self, tmp_path, monkeypatch):
        file = tmp_path / "p.yaml"
        file.write_text("other: 1\nx: 2")
        monkeypatch.setenv("RUNNABLE_PRM_another", "1")
        step = PythonTask(name="s", function=lambda x: x)
        run_log = step.as_pipeline().execute(
            parameters_file=str(file), services=IN_MEMORY
        )
        assert run_log.status == "SUCCESS"
