"""Write the pages of the reference that the program knows better than anybody.

`conf.py` calls `write` before the documentation is built.
"""

import ast
import importlib.metadata
import inspect
import itertools
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import typer.main
import yaml
from pydantic import BaseModel

from containers.plugins import KINDS as SERVICES
from runnable import exceptions
from runnable.cli.app import COMMANDS
from runnable.datastore.codec import KINDS
from runnable.events.schema import event_schema
from runnable.sdk.yaml_schema import pipeline_schema

NOT_CONFIGURED = {"service_name", "service_type"}


def cell(text: object) -> str:
    """Return a text that a cell of a table can hold."""
    return " ".join(str(text).split()).replace("|", "\\|")


def table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return a table."""
    lines = [[*head], ["---" for _ in head], *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines) + "\n"


def attribute_docs(kind: type) -> dict[str, str]:
    """Return the texts below the attributes of a class and of its bases."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):
            continue  # it has no source, such as `object`
        for field, text in itertools.pairwise(tree.body[0].body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(said))),
                ):
                    found[name] = said
    return found


def first_line(kind: object) -> str:
    """Return the first line of a docstring."""
    return (inspect.getdoc(kind) or "").split("\n\n")[0]


# --- commands ---------------------------------------------------------------------


def commands() -> str:
    """Return the page of the command line."""
    parts = [
        "# Commands\n",
        "What `runnable COMMAND --help` prints, for all of them.\n",
    ]
    for name, (place, summary) in COMMANDS.items():
        module, _, attribute = place.partition(":")
        found = getattr(importlib.import_module(f"runnable.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            group: Any = typer.main.get_group(found)
            for below, command in group.commands.items():
                parts += _command(f"{name} {below}", command, "")
            continue
        alone = typer.Typer()
        alone.command(name)(found)
        parts += _command(name, typer.main.get_command(alone), summary)
    return "\n".join(parts)


def _command(name: str, command: Any, summary: str) -> Iterator[str]:
    yield f"## {name}\n"
    text = inspect.cleandoc(command.help or summary)
    yield text + "\n"
    rows = []
    for it in command.params:
        names = ", ".join(f"`{name}`" for name in (*it.opts, *it.secondary_opts))
        if it.param_type_name == "argument":
            names = f"`{str(it.name).upper()}`"
        if "--help" not in names and "completion" not in names:
            rows.append((names, getattr(it, "help", "") or ""))
    if rows:
        yield table(("argument or option", ""), rows)


# --- YAML and configuration --------------------------------------------------------


def _type(described: Mapping[str, Any]) -> str:
    match described:
        case {"$ref": reference}:
            text = reference.rsplit("/", 1)[-1]
        case {"const": value}:
            text = f"`{json.dumps(value)}`"
        case {"enum": values}:
            text = ", ".join(f"`{it}`" for it in values)
        case {"anyOf": several} | {"oneOf": several}:
            text = " or ".join(dict.fromkeys(_type(it) for it in several))
        case {"type": "array"}:
            text = f"list of {_type(described.get('items', {}))}"
        case {"type": "object", "additionalProperties": dict(items)}:
            text = f"mapping to {_type(items)}"
        case {"type": list(kinds)}:
            text = " or ".join(kinds)
        case _:
            text = str(described.get("type", "any"))
    return text


def _properties(described: Mapping[str, Any], docs: Mapping[str, str]) -> str:
    needed = described.get("required", [])
    rows = []
    for name, it in described.get("properties", {}).items():
        default = "needed" if name in needed else json.dumps(it.get("default", ""))
        text = it.get("description") or docs.get(name, "")
        rows.append((f"`{name}`", _type(it), default.strip('"'), text))
    return table(("key", "type", "default", ""), rows)


def yaml_keys() -> str:
    """Return the page of the keys of pipeline files."""
    schema = pipeline_schema()
    parts = [
        "# Keys of pipeline files\n",
        (
            "From the schema that `runnable schema` prints; [pipelines in files]"
            "(../../how-to/yaml.md) explains them.\n"
        ),
        "## The file\n",
        _properties(schema, TEXTS),
    ]
    docs = _docs_of_steps()
    for name, described in schema["$defs"].items():
        if described.get("properties"):
            parts += [f"## {name}\n", _properties(described, docs)]
    return "\n".join(parts)


TEXTS = {
    "dag": "The pipeline.",
    "type": "The kind of step.",
    "command": "The function as `module.function`, the notebook's path, or the command.",
    "command_type": "The kind of task.",
    "description": "For people.",
    "steps": "The steps by name.",
    "name": "For people, and in the run log.",
}


def _docs_of_steps() -> dict[str, str]:
    from runnable.sdk import composites, steps
    from runnable.sdk.task_options import Catalog
    from runnable.tasks import TaskReturns

    kinds = [
        TaskReturns,
        Catalog,
        steps.PythonTask,
        steps.ShellTask,
        steps.NotebookTask,
    ]
    kinds += [steps.AsyncPythonTask, composites.Map, composites.Loop]
    kinds += [composites.Conditional, composites.Parallel]
    found = dict(TEXTS)
    for kind in kinds:
        found |= attribute_docs(kind)
    return found


def configuration() -> str:
    """Return the page of the keys of configuration files."""
    parts = [
        "# Keys of configuration files\n",
        (
            "A configuration has a mapping for each kind of service, with `type` and "
            "`config`; see [configure a run](../../how-to/configuration.md).\n"
        ),
    ]
    for kind in SERVICES:
        parts.append(f"## {kind.replace('_', '-')}\n")
        points = importlib.metadata.entry_points(group=kind)
        named: dict[str, list[str]] = {}
        for point in points:
            named.setdefault(point.value, []).append(point.name)
        for value, names in sorted(named.items(), key=lambda it: it[1]):
            found = importlib.metadata.EntryPoint("", value, kind).load()
            parts += _service(sorted(names), found)
    return "\n".join(parts)


def _service(names: list[str], kind: type[BaseModel]) -> Iterator[str]:
    yield f"**{' or '.join(f'`{it}`' for it in names)}**: {first_line(kind)}\n"
    docs = attribute_docs(kind)
    rows = []
    for name, field in kind.model_fields.items():
        if name in NOT_CONFIGURED:
            continue
        default = (
            "needed"
            if field.is_required()
            else f"`{field.get_default(call_default_factory=True)!r}`"
        )
        rows.append((f"`{field.alias or name}`", f"{default}", docs.get(name, "")))
    if rows:
        yield table(("key", "default", ""), rows)


# --- events, records, errors --------------------------------------------------------


def events() -> str:
    """Return the page of events."""
    schema = event_schema()
    parts = [
        "# Events\n",
        (
            "What subscribers, `execute_streaming(lifecycle=True)` and the event log get, as "
            "JSON; `runnable schema --events` prints the schema. What a generator yields is "
            "passed on as it is.\n"
        ),
    ]
    for name in (it["$ref"].rsplit("/", 1)[-1] for it in schema["oneOf"]):
        kind = KINDS.get(name) if isinstance(name, str) else None
        docs = attribute_docs(kind) if kind else {}
        parts += [f"## {name}\n", f"{first_line(kind)}\n" if kind else ""]
        parts.append(_properties(schema["$defs"][name], docs))
    return "\n".join(parts)


def records() -> str:
    """Return the page of the records of a journal."""
    parts = [
        "# Records of a journal\n",
        (
            "Everything that is stored of a run, in this order of their first appearance; "
            "[the journal](../../architecture/journal.md) says how and where.\n"
        ),
    ]
    for name, kind in KINDS.items():
        docs = attribute_docs(kind)
        fields = inspect.signature(kind).parameters.values()
        rows = [(f"`{it.name}`", docs.get(it.name, "")) for it in fields]
        parts += [f"## {name}\n", f"{first_line(kind)}\n", table(("field", ""), rows)]
    return "\n".join(parts)


def errors() -> str:
    """Return the page of errors and what to do about them."""
    names = [
        it for it in exceptions.__all__ if inspect.isclass(getattr(exceptions, it))
    ]
    remedies = yaml.safe_load((Path(__file__).parent / "remedies.yaml").read_text())
    rows = []
    for name in sorted(names):
        kind = getattr(exceptions, name)
        rows.append((f"`{name}`", first_line(kind), remedies[name]))
    return "\n".join([
        "# Errors and remedies\n",
        (
            "All are in `runnable.exceptions`, and all are a `RunnableError`. Their texts name "
            "the step, the parameter, the file and the line; [errors](../errors.md) has "
            "their attributes.\n"
        ),
        table(("error", "what is wrong", "what to do"), rows),
    ])


PAGES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "yaml": yaml_keys,
    "configuration": configuration,
    "events": events,
    "records": records,
    "errors": errors,
}


def write(folder: Path) -> None:
    """Write all pages that have changed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        file, text = folder / f"{name}.md", make()
        if not file.exists() or file.read_text() != text:
            file.write_text(text)
