"""Tasks, executors and datastore classes get what they need by markers, and no other way."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import runnable
from runnable.context import PipelineContext, RunScope
from runnable.datastore import BaseRunLogStore
from runnable.datastore.parameters import ObjectParameter
from runnable.executor.base import BaseExecutor
from runnable.scope.injection import injection_points
from runnable.tasks import BaseTaskType

KINDS: tuple[type, ...] = (BaseTaskType, BaseExecutor, BaseRunLogStore)
PACKAGES = ("tasks", "executor", "datastore", "catalog", "pickler")
AMBIENT = {
    "current_scope",
    "current_step",
    "find_run",
    "get_run_context",
    "require_run",
}
"""Functions that answer from the scope of the caller."""


def modules(package: str) -> Iterator[Path]:
    return Path(runnable.__path__[0], package).rglob("*.py")


def ambient_names(source: str) -> set[str]:
    """Return which of these functions the source names, imports or reaches by a dot."""
    tree = ast.walk(ast.parse(source))
    names = {
        name
        for node in tree
        for name in (
            getattr(node, "id", None),
            getattr(node, "attr", None),
            getattr(node, "name", None),
        )
    }
    return names & AMBIENT


def classes_of(kind: type) -> list[type]:
    for package in PACKAGES:
        for found in pkgutil.iter_modules([str(Path(runnable.__path__[0], package))]):
            importlib.import_module(f"runnable.{package}.{found.name}")
    pending, found_classes = [kind], []
    while pending:
        cls = pending.pop()
        pending.extend(cls.__subclasses__())
        if cls.__module__.startswith("runnable."):
            found_classes.append(cls)
    return found_classes


@pytest.mark.parametrize(
    "source",
    [
        "context = get_run_context()",
        "from runnable.scope import find_run as f",
        "scope.current_step()",
    ],
)
def test_the_search_finds_a_call_of_the_scope(source):
    assert ambient_names(source)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_module_of_these_packages_reads_the_scope(package):
    reading = {
        str(path): found
        for path in modules(package)
        if (found := ambient_names(path.read_text()))
    }
    assert reading == {}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_class_of_these_kinds_reads_the_scope(kind):
    classes = classes_of(kind)
    assert len(classes) > 2
    for cls in classes:
        assert not ambient_names(Path(inspect.getfile(cls)).read_text()), cls


@pytest.mark.parametrize(
    "made", [BaseTaskType(), BaseExecutor()], ids=["task", "executor"]
)
def test_the_context_is_injected(made):
    with pytest.raises(RuntimeError, match="No run context available in current exec"):
        _ = made._context
    with RunScope(PipelineContext(run_id="r1")):
        assert made._context.run_id == "r1"


def test_each_kind_has_markers():
    marked = {
        (point.module.split(".")[1], point.service)
        for point in injection_points()
        if point.module.startswith("runnable.")  # tests have markers as well
    }
    assert {
        ("tasks", "run_context"),
        ("executor", "run_context"),
        ("datastore", "run_context"),
        ("datastore", "catalog"),
        ("datastore", "pickler"),
    } <= marked


def test_an_object_of_the_datastore_is_loaded_by_injection():
    stored = ObjectParameter(
        value="Pickled object stored in catalog as: model",
        key="model",
        sha256="",
        size_bytes=1,
    )
    with pytest.raises(RuntimeError, match="No run context available in current exec"):
        stored.get_value()
    context = PipelineContext(run_id="r1")
    context.return_objects["model"] = 42
    with RunScope(context):
        assert stored.get_value() == 42
