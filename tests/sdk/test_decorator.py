"""Functions as tasks: names, the decorator, and returns that are annotated."""

import asyncio
import pickle
from dataclasses import dataclass
from functools import partial
from typing import (
    Annotated,
    Generic,
    NamedTuple,
    NotRequired,
    Required,
    TypedDict,
    TypeVar,
)

import pytest
from pydantic import BaseModel

from runnable import (
    AsyncPipeline,
    NotebookTask,
    Pipeline,
    PythonTask,
    ShellTask,
    metric,
    pickled,
    task,
)
from runnable.exceptions import (
    DefinitionError,
    ExecutionFailedError,
    FieldMissingError,
    SettingsError,
)

SERVICES = {"run_log_store": {"type": "memory"}}


@task(returns=["rows"], retries=1)
def clean(raw: list[str]) -> list[str]:
    """Keep what is not empty."""
    return [row for row in raw if row]


@task
def forget(rows):
    del rows


@task(returns=["count"], name="how many")
def count(rows: list[str]) -> int:
    return len(rows)


def test_functions_are_steps_and_stay_functions():
    pipeline = Pipeline(steps=[clean, forget, count])
    run_log = pipeline.execute(parameters={"raw": ["a", ""]}, services=SERVICES)
    assert [*run_log.steps][:3] == ["clean", "forget", "how many"]
    assert run_log.outputs == {"rows": ["a"], "count": 1}
    assert clean(["", "b"]) == ["b"]
    assert pickle.loads(pickle.dumps(clean)) is clean
    assert clean.__doc__ == "Keep what is not empty."


def test_settings_of_the_decorator_are_those_of_the_step():
    attempts = []

    @task(returns=["x"], retries=2)
    def flaky():
        attempts.append(1)
        if len(attempts) < 3:
            raise ValueError("not yet")
        return 1

    run_log = Pipeline(steps=[flaky]).execute(services=SERVICES)
    assert len(run_log.steps["flaky"].attempts) == 3


def test_a_coroutine_function_runs_on_the_loop():
    @task(returns=["thread"])
    async def where():
        return id(asyncio.get_running_loop())

    async def main():
        run_log = await AsyncPipeline(steps=[where]).execute_async(services=SERVICES)
        return run_log["thread"], id(asyncio.get_running_loop())

    here, expected = asyncio.run(main())
    assert here == expected


def test_wrong_uses_of_the_decorator_are_explained():
    with pytest.raises(SettingsError, match=r"no setting 'retry'. Did you mean"):
        task(retry=2)(lambda: 1)
    with pytest.raises(DefinitionError, match=r"write PythonTask\(function=\.\.\.\)"):
        task(len)
    with pytest.raises(SettingsError, match="a lambda has no name"):
        task(lambda: 1)

    def plain():
        """Is no task."""

    with pytest.raises(DefinitionError, match="'plain' is a function, not a step"):
        Pipeline(steps=[plain])
    with pytest.raises(DefinitionError, match="two steps have the name 'clean'"):
        Pipeline(steps=[clean, clean])


def test_steps_are_named_after_what_they_run():
    assert PythonTask(function=clean).name == "clean"
    assert PythonTask(function=partial(clean, raw=[])).name == "clean"
    assert PythonTask(function=clean, name="other").name == "other"
    assert NotebookTask(notebook="reports/daily.ipynb").name == "daily"
    with pytest.raises(SettingsError, match="name is needed"):
        ShellTask(command="true")


class Typed(TypedDict):
    rows: list[int]
    score: Annotated[float, metric]


class Named(NamedTuple):
    rows: list[int]
    score: Annotated[float, metric]


@dataclass
class Data:
    rows: list[int]
    score: Annotated[float, metric]


class Model(BaseModel):
    rows: list[int]
    score: Annotated[float, metric]


@pytest.mark.parametrize("kind", [Typed, Named, Data, Model])
def test_the_fields_of_a_record_name_what_is_returned(kind):
    def fit():
        return kind(rows=[1, 2], score=0.5)

    fit.__annotations__["return"] = kind
    run_log = PythonTask(function=fit).as_pipeline().execute(services=SERVICES)
    assert run_log.outputs == {"rows": [1, 2], "score": 0.5}
    assert run_log.metrics == {"score": 0.5}
    # What is declared takes precedence.
    step = PythonTask(name="s", function=fit, returns=["fitted"])
    if kind is not Named:
        assert list(step.as_pipeline().execute(services=SERVICES).outputs) == ["fitted"]


T = TypeVar("T")


class Pair(NamedTuple, Generic[T]):
    first: T
    second: T


def test_a_generic_record_names_what_is_returned():
    def pair() -> Pair[int]:
        return Pair(1, 2)

    run_log = PythonTask(function=pair).as_pipeline().execute(services=SERVICES)
    assert run_log.outputs == {"first": 1, "second": 2}


def test_a_field_that_is_no_json_is_an_object(tmp_path):
    class Made(TypedDict):
        part: slice
        said: Annotated[list[int], pickled]

    def make() -> Made:
        return {"part": slice(1, 2), "said": [1]}

    catalog = {"type": "file-system", "config": {"catalog_location": str(tmp_path)}}
    pipeline = PythonTask(function=make).as_pipeline()
    run_log = pipeline.execute(services={**SERVICES, "catalog": catalog})
    assert {name: it.kind for name, it in run_log.parameters.items()} == {
        "part": "object",
        "said": "object",
    }
    assert run_log["part"] == slice(1, 2)


def test_a_field_that_is_not_returned_fails_the_step():
    class Both(TypedDict):
        x: int
        y: int

    def make() -> Both:
        return {"x": 1}

    with pytest.raises(ExecutionFailedError) as caught:
        PythonTask(function=make).as_pipeline().execute(services=SERVICES)
    assert isinstance(caught.value.__cause__, FieldMissingError)
    assert "without 'y'" in str(caught.value.__cause__)


class Qualified(TypedDict, total=False):
    a: Required[Annotated[float, metric]]
    b: NotRequired[Annotated[float, metric]]
    c: int


def test_a_field_that_need_not_be_there_is_none():
    def make() -> Qualified:
        return {"a": 1.0, "b": 2.0}

    run_log = PythonTask(function=make).as_pipeline().execute(services=SERVICES)
    assert run_log.outputs == {"a": 1.0, "b": 2.0, "c": None}
    assert run_log.metrics == {"a": 1.0, "b": 2.0}


def test_an_empty_list_declares_that_nothing_is_returned():
    def make(rows) -> Data:
        return Data([*rows, 1], 0.5)

    pipeline = PythonTask(function=make, returns=[]).as_pipeline()
    run_log = pipeline.execute(parameters={"rows": []}, services=SERVICES)
    assert run_log.outputs == {}
    assert run_log["rows"] == []


class Odd:
    @classmethod
    def __get_pydantic_core_schema__(cls, source, handler):
        raise RuntimeError("no schema")


def test_annotations_that_nobody_reads_are_no_error(tmp_path):
    class Marked(TypedDict):
        a: Annotated[int, {"unhashable": 1}]

    @dataclass
    class Unknown:
        a: "OnlyTypeCheckersKnow"  # noqa: F821

    class Strange(TypedDict):
        a: Odd

    def marked() -> Marked:
        return {"a": 1}

    def unknown() -> Unknown:
        return Unknown(2)

    def strange() -> Strange:
        return {"a": Odd()}

    catalog = {"type": "file-system", "config": {"catalog_location": str(tmp_path)}}
    for function, expected in ((marked, 1), (unknown, 2)):
        pipeline = PythonTask(function=function).as_pipeline()
        assert pipeline.execute(services=SERVICES)["a"] == expected
    pipeline = PythonTask(function=strange).as_pipeline()
    run_log = pipeline.execute(services={**SERVICES, "catalog": catalog})
    assert isinstance(run_log["a"], Odd)
