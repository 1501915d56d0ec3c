"""Importing has no effect, any first import works, and public names are documented."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import containers
import runnable
from runnable import exceptions

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("runnable/**/*.py"), *ROOT.glob("containers/**/*.py")])
MODULES = sorted(
    module.name
    for package in (runnable, containers)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
)
EFFECTS = """
import logging, os, sys
before = (dict(os.environ), os.getcwd(), list(sys.path), sys.stdout, type(os.environ),
          list(logging.getLogger().handlers), logging.getLogger().level)
import {module}
after = (dict(os.environ), os.getcwd(), list(sys.path), sys.stdout, type(os.environ),
         list(logging.getLogger().handlers), logging.getLogger().level)
assert before == after
heavy = {{"rich", "typer", "matplotlib", "sklearn", "numpy", "boto3", "cloudpickle"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
from containers import validate
assert validate() == [], validate()
"""


def python(script: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout + finished.stderr


@pytest.mark.parametrize(
    "module",
    [
        "runnable",
        "containers",
        "runnable.sdk",
        "runnable.context",
        "runnable.catalog",
        "runnable.datastore",
        "runnable.scope.injection",
        "runnable.tasks",
        "runnable.executor",
        "runnable.parameters",
        "runnable.engine",
        "runnable.exceptions",
        "containers.settings",
    ],
)
def test_any_first_import_works_and_has_no_effect(module):
    assert python(EFFECTS.format(module=module)) == ""


def test_another_package_of_the_same_name_is_reported(tmp_path):
    (tmp_path / "containers.py").write_text("")
    finished = subprocess.run(
        [sys.executable, "-c", "from runnable import Pipeline"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "hides the package 'containers' that belongs to runnable" in finished.stderr


def test_every_module_can_be_imported():
    for name in MODULES:
        importlib.import_module(name)


def test_import_runnable_loads_nothing_else():
    loaded = python(
        "import sys; before = set(sys.modules); import runnable; "
        "print(sorted(set(sys.modules) - before))"
    )
    packages = {name.split(".")[0] for name in ast.literal_eval(loaded)}
    assert packages - sys.stdlib_module_names == {"runnable"}
    assert not packages & {"asyncio", "logging", "json"}


def test_to_define_a_pipeline_imports_nothing_that_runs_it():
    code = (
        "import sys; from runnable import Pipeline, PythonTask\n"
        "PythonTask(name='s', function=lambda: 1).as_pipeline()\n"
        "heavy = ['fastapi', 'starlette', 'rich', 'typer']\n"
        "parts = ('engine', 'datastore', 'journal', 'context', 'executor', 'catalog')\n"
        "heavy += [f'runnable.{it}' for it in parts]\n"
        "print([it for it in heavy if it in sys.modules])"
    )
    assert python(code).strip() == "[]"


def test_public_names_are_lazy_listed_and_reachable():
    assert sorted(runnable.__all__) == runnable.__all__
    lazy = {name for names in runnable._HOMES.values() for name in names}
    assert lazy == {*runnable.__all__, "json"}
    for name in lazy:
        assert getattr(runnable, name).__doc__
        assert name in {*dir(runnable), "json"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = runnable.nothing


def test_only_markers_of_dependency_injector_are_used():
    for path in SOURCES:
        if path.is_relative_to(ROOT / "containers"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module == "dependency_injector"
            ):
                assert [alias.name for alias in node.names] == ["wiring"], path
            elif isinstance(node, ast.ImportFrom) and "dependency_injector" in (
                node.module or ""
            ):
                assert node.module == "dependency_injector.wiring", path


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_are_short_and_have_a_docstring(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 500
    assert ast.get_docstring(ast.parse(text))


def test_the_environment_is_read_in_few_places():
    """Only configuration and the environment's secrets; the overlay wraps it."""
    reading = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if any(
            isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"}
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert reading == {
        "containers/settings.py",
        "runnable/capture/environment.py",
        "runnable/secrets/environment.py",
    }


def test_there_is_one_context_variable():
    """One holds the scope of the caller; more would have to be kept in step."""
    made = [
        path.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ContextVar"
    ]
    assert made == ["current.py"]


def test_every_error_is_drawn_in_the_tree():
    tree = exceptions.__doc__
    for name in exceptions.__all__:
        if name != "did_you_mean":
            assert name in tree
            assert issubclass(getattr(exceptions, name), exceptions.RunnableError)
