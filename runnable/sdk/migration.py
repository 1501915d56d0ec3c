"""Find what has to change in a project that was written for version 0.50.

Files are read, not run: Python files as syntax trees. YAML files are read as a run
would read them, so the functions of pipelines are imported.
"""

import ast
import importlib.util
import os
import re
import warnings
from collections.abc import Iterator, Mapping
from importlib.metadata import metadata
from pathlib import Path
from typing import NamedTuple

from runnable.earlier_names import GONE, MOVED
from runnable.errors import RunnableError, did_you_mean
from runnable.graph import TERMINAL_NAMES
from runnable.scope.options import Options
from runnable.sdk.services import PORTS, resolve_settings
from runnable.sdk.yaml_pipeline import load_pipeline
from runnable.system.run_ids import check_run_id
from runnable.system.yaml_files import read_document

_LEFT_OUT = {"node_modules", "site-packages", "build", "dist", "__pycache__"}
_STEPS = {
    *("PythonTask", "NotebookTask", "ShellTask", "AsyncPythonTask", "Stub"),
    *("Parallel", "Map", "Conditional", "Loop"),
}
_OWN_KEYS = {"parameters", "cwd"}
_CONFIGURED = {*PORTS, "executor", "pipeline_executor", "job_executor"}
_REQUIRED = re.compile(r"\brunnable\[([\w\s,.-]+)\]")


class MigrationFinding(NamedTuple):
    """Something that has to change."""

    place: str
    """The file, the line and maybe the column: `flow.py:12`; empty if the text has
    it."""
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}" if self.place else self.text


def migration_findings(folder: Path) -> Iterator[MigrationFinding]:
    """Find what has to change in a project that was written for version 0.50.

    Args:
        folder: All Python, YAML and requirements files below it are read.

    Yields:
        A finding for each of them, file by file.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> _ = (folder / "flow.py").write_text("import runnable.nodes")
        >>> for finding in migration_findings(folder):
        ...     print(finding.text)
        runnable.nodes is gone: `runnable.graph` describes steps, the engine runs them
    """
    for file in filter(Path.is_file, _files(folder)):
        if file.suffix == ".py":
            yield from _of_python(file)
        elif file.suffix in {".yaml", ".yml"}:
            yield from _of_yaml(file)
        else:
            yield from _of_requirements(file)


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(
            it
            for it in folders
            if it not in _LEFT_OUT
            and not it.startswith(".")
            and not (Path(place) / it / "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            is_list = name.startswith("requirements") and name.endswith(".txt")
            if (
                name.endswith((".py", ".yaml", ".yml"))
                or is_list
                or name in {"pyproject.toml", "setup.cfg"}
            ):
                yield Path(place) / name


def _of_requirements(file: Path) -> Iterator[MigrationFinding]:
    known = metadata("runnable").get_all("Provides-Extra") or []
    for number, line in enumerate(_text(file).splitlines(), 1):
        extras = ",".join(found[1] for found in _REQUIRED.finditer(line)).split(",")
        for extra in filter(None, map(str.strip, extras)):
            if extra not in known:
                text = f"there is no extra {extra!r}. {did_you_mean(extra, known)}"
                yield MigrationFinding(f"{file}:{number}", text)


def _of_yaml(file: Path) -> Iterator[MigrationFinding]:
    text = _text(file)
    is_pipeline = re.search(r"^dag:", text, re.MULTILINE)
    if not is_pipeline and not _is_configuration(file, text):
        return
    try:
        if is_pipeline:
            load_pipeline(file)
        else:
            resolve_settings()(Options(configuration_file=str(file)))
    except (RunnableError, SystemExit) as error:
        for line in str(error).splitlines() or [f"{file}: it ends the program"]:
            yield MigrationFinding("", line.strip().removeprefix("- "))


def _is_configuration(file: Path, text: str) -> bool:
    if "type:" not in text:
        return False
    try:
        keys = read_document(file, "file").content
    except RunnableError:
        return False  # such as a template: nothing that a run would read
    return any(str(key).replace("-", "_") in _CONFIGURED for key in keys)


def _of_python(file: Path) -> Iterator[MigrationFinding]:
    text = _text(file)
    if "runnable" not in text and "extensions" not in text:
        return
    try:
        tree = ast.parse(text, str(file))
    except (SyntaxError, ValueError):
        return  # a template, or a notebook's cell: nothing that Python would run
    nodes = [it for it in ast.walk(tree) if isinstance(it, ast.stmt | ast.expr)]
    for node in sorted(nodes, key=lambda it: it.lineno):
        for problem in _of_node(node):
            yield MigrationFinding(f"{file}:{node.lineno}", problem)


def _of_node(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for name in node.names:
            yield from _of_module(name.name)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        module = node.module or ""
        problems = [*_of_module(module)]
        yield from problems
        for name in node.names if not problems else ():
            yield from _of_name(module, name.name)
    elif isinstance(node, ast.Call):
        given = {it.arg: it.value for it in node.keywords if it.arg}
        yield from _of_call(_called(node.func), given)


def _of_module(module: str) -> Iterator[str]:
    for name, instead in GONE.items():
        if module == name or module.startswith(f"{name}."):
            yield f"{module} is gone: {instead}"
            return


def _of_name(module: str, name: str) -> Iterator[str]:
    if module.partition(".")[0] != "runnable" or name == "*":
        return
    path = f"{module}.{name}"
    if path in GONE:
        yield f"{path} is gone: {GONE[path]}"
    elif name in MOVED.get(module, {}):
        yield f"{path} is now {MOVED[module][name].replace(':', '.')}"
    elif not _exists(module, name):
        yield f"there is no {path}"


def _exists(module: str, name: str) -> bool:
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        return not (error.name or "").startswith("runnable")  # an extra is missing
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if hasattr(found, name):
            return True
    if not hasattr(found, "__path__"):
        return False
    return importlib.util.find_spec(f"{module}.{name}") is not None


def _called(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _of_call(called: str, given: Mapping[str, ast.expr]) -> Iterator[str]:
    if called in _STEPS:
        name = _constant(given.get("name"))
        if name in TERMINAL_NAMES:
            yield f"a step cannot be called {name!r}: each pipeline ends there"
        yield from _of_reducer(_constant(given.get("reducer")))
        keys = getattr(given.get("optional_ploomber_args"), "keys", [])
        for key in map(_constant, keys):
            if isinstance(key, str) and key not in _OWN_KEYS:
                yield f"optional_ploomber_args: {key!r} has no effect any more"
    run_id = _constant(given.get("run_id"))
    if called.startswith("execute") and isinstance(run_id, str) and run_id:
        try:
            check_run_id(run_id)
        except RunnableError as error:
            yield str(error)


def _of_reducer(reducer: object) -> Iterator[str]:
    if not isinstance(reducer, str):
        return
    try:
        parsed = ast.parse(reducer.strip(), mode="eval").body
    except SyntaxError:
        return
    if isinstance(parsed, ast.Lambda) and len(parsed.args.args) == 1:
        yield f"the reducer {reducer!r} gets the list of all values, not the first one"


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _text(file: Path) -> str:
    return file.read_bytes().decode("utf-8-sig", "replace")
