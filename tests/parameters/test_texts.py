"""Text that looks like a number: the annotation decides what an argument gets."""

import dataclasses
import decimal
import subprocess
import sys
import typing
from pathlib import Path

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from runnable import ExecutionFailedError, Map, Pipeline, PythonTask, get_run_log
from runnable.exceptions import DefinitionError
from runnable.parameters.texts import with_texts

TEXTS = ["77950e8", "1.10", "01234", "true", "null", "{}", "[1]", "0x1F", "1_000", "-0"]


def received(function, in_memory, **more):
    """Run a function as a task, and return its arguments, which it returns."""
    task = PythonTask(name="s", function=function, returns=["got"])
    run_log = task.as_pipeline().execute(services=in_memory, **more)
    return run_log.parameters["got"].value


@pytest.mark.parametrize("text", TEXTS)
def test_a_variable_arrives_as_text_where_text_is_wanted(text, in_memory, monkeypatch):
    monkeypatch.setenv("RUNNABLE_PRM_x", text)

    def as_text(x: str):
        return x

    def perhaps(x: str | None = None):
        return x

    assert received(as_text, in_memory) == text
    expected = None if text == "null" else text
    assert received(perhaps, in_memory) == expected


@pytest.mark.parametrize(
    "text", [it for it in TEXTS if it[0] not in "[{"] + ["2026-01-31", "~", "yes"]
)
def test_a_scalar_of_a_file_arrives_as_text_where_text_is_wanted(text, in_memory):
    Path("p.yaml").write_text(f"x: {text}\nnested: {{deep: [{text}]}}\n")

    class Nested(BaseModel):
        deep: list[str]

    def work(x: str, nested: Nested):
        return [x, nested.deep]

    got = received(work, in_memory, parameters_file="p.yaml")
    assert got == [text, [text]]


def test_other_annotations_get_what_yaml_says(in_memory):
    Path("p.yaml").write_text("n: 007\nr: 1.10\ne: 1.5e3\nflag: true\n")

    def work(n: int, r: float, e, flag: bool, n2=None):
        return [n, r, e, flag]

    got = received(work, in_memory, parameters_file="p.yaml")
    assert got == [7, 1.1, 1500.0, True]


def test_a_decimal_keeps_its_digits(in_memory):
    Path("p.yaml").write_text("price: 1.10\npi: 3.14159265358979323846\n")

    def work(price: decimal.Decimal, pi: decimal.Decimal):
        return [str(price), str(pi)]

    got = received(work, in_memory, parameters_file="p.yaml")
    assert got == ["1.10", "3.14159265358979323846"]


def test_the_text_is_there_after_a_resume(monkeypatch):
    monkeypatch.setenv("RUNNABLE_PRM_commit", "77950e8")

    def work(commit: str):
        if not Path("mended").exists():
            raise ValueError("not yet")
        return commit

    steps = [
        PythonTask(name="a", function=lambda: None),
        PythonTask(name="b", function=work, returns=["got"]),
    ]
    with pytest.raises(ExecutionFailedError):
        Pipeline(steps=steps).execute(run_id="r1")
    monkeypatch.delenv("RUNNABLE_PRM_commit")
    Path("mended").touch()
    run_log = Pipeline(steps=steps).execute(resume="r1")
    assert run_log.parameters["got"].value == "77950e8"


@pytest.mark.parametrize("parallelism", ["none", "thread", "process"])
def test_items_of_a_map_arrive_as_text_where_text_is_wanted(parallelism, in_memory):
    Path("p.yaml").write_text("versions: [1.10, 01234, 77950e8, plain, [1.0]]\n")

    def work(version: str | list[str]):
        return version

    branch = PythonTask(name="w", function=work, returns=["got"]).as_pipeline()
    mapped = Map(
        name="m",
        branch=branch,
        iterate_on="versions",
        iterate_as="version",
        parallelism=parallelism,
    )
    run_log = mapped.as_pipeline().execute(parameters_file="p.yaml", services=in_memory)
    assert run_log.parameters["got"].value == [
        "1.10",
        "01234",
        "77950e8",
        "plain",
        ["1.0"],
    ]


SCRIPT = """
from runnable import Map, PythonTask

def work(version: str):
    return version

def main():
    branch = PythonTask(name="w", function=work, returns=["got"]).as_pipeline()
    mapped = Map(name="m", branch=branch, iterate_on="versions", iterate_as="version")
    mapped.as_pipeline().execute(
        run_id="r1",
        parameters_file="p.yaml",
        services={"pipeline_executor": {"type": "emulator"}},
    )

if __name__ == "__main__":
    main()
"""


def test_items_keep_their_text_in_processes_of_their_own():
    Path("p.yaml").write_text("versions: [1.10, 77950e8]\n")
    Path("script.py").write_text(SCRIPT)
    subprocess.run([sys.executable, "script.py"], check=True)
    run_log = get_run_log("r1")
    assert run_log.parameters["got"].value == ["1.10", "77950e8"]


def test_a_value_that_was_given_in_python_has_no_text(in_memory, monkeypatch):
    monkeypatch.setenv("RUNNABLE_PRM_x", "1.10")

    def work(x: str):
        return x

    assert received(work, in_memory, parameters={"x": 2.5}) == "2.5"


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_values_that_are_accepted_stay_as_they_are(value):
    adapter = pydantic.TypeAdapter(dict[str, str | int | None])
    texts = {name: repr(it) for name, it in value.items()}
    assert with_texts(adapter, value, texts) is value


class Settings(typing.TypedDict, total=False):
    rate: typing.Required[float]
    names: list[str]


@pytest.mark.parametrize("annotation", [Settings, list[Settings], Settings | None])
def test_a_typed_dict_is_validated(annotation, in_memory):
    def work(x):
        return x

    work.__annotations__["x"] = annotation
    right = {"rate": "0.5", "names": ["a"]}
    in_list = typing.get_origin(annotation) is list
    got = received(work, in_memory, parameters={"x": [right] if in_list else right})
    expected = {"rate": 0.5, "names": ["a"]}
    assert got == ([expected] if in_list else expected)
    wrong = {"names": ["a"]}
    with pytest.raises(ExecutionFailedError, match="rate"):
        received(work, in_memory, parameters={"x": [wrong] if in_list else wrong})


@dataclasses.dataclass
class Holder:
    settings: Settings


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic reads it there")
def test_an_annotation_that_cannot_be_checked_is_refused(in_memory):
    def work(x: Holder):
        return x

    with pytest.raises(ExecutionFailedError, match="annotation of 'x' cannot be") as it:
        received(work, in_memory, parameters={"x": {"settings": {"rate": 1}}})
    assert isinstance(it.value.__cause__, DefinitionError)
