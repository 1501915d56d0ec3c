"""Pipelines that YAML files describe.

Theory of operation. A step of the file is the step that an author would write in
Python, found by its `type` among the entry points of the group `nodes`: its keys are
the fields of that class, but for `next` and `on_failure`, which name other steps, and
`branch` and `branches`, which are graphs again. All that is wrong is collected, each
with its place.
"""

import difflib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, SkipValidation, ValidationError

from runnable.defaults import HOOK_KEYS, LOOP_PLACEHOLDER, MAP_PLACEHOLDER
from runnable.errors import (
    DefinitionError,
    RunnableError,
    ServiceNotFoundError,
    did_you_mean,
)
from runnable.graph import (
    EDGES,
    FAIL_NODE,
    SUCCESS_NODE,
    TERMINAL_NAMES,
    FailNode,
    Graph,
    Node,
    StepNode,
    StubNode,
    SuccessNode,
    find_problems,
)
from runnable.scope.injection import Provide, inject
from runnable.sdk.any_pipeline import AnyPipeline
from runnable.sdk.assembly import wrong_name
from runnable.sdk.errors import SettingsError
from runnable.sdk.hook_settings import as_hooks
from runnable.sdk.pipeline import (
    GraphPipeline,
    Pipeline,
    Step,
)
from runnable.sdk.steps import FindPlugin, Stub, Task, settings_of
from runnable.sdk.type_checks import needs_and_type_findings
from runnable.system.errors import PipelineFileError
from runnable.system.yaml_files import Document, Key, read_document

GRAPH_KEYS = ("start_at", "steps", "description", "name", "check_types")
ALWAYS = ("type", *EDGES)
"""Keys of all steps that no class has."""
_PLACEHOLDERS = {MAP_PLACEHOLDER: "branch", LOOP_PLACEHOLDER: "branch"}


def load_pipeline(file: str | os.PathLike[str]) -> Pipeline:
    """Read a pipeline from a YAML file.

    Args:
        file: Its path, relative to the working directory. Functions are looked for
            where imports look.

    Returns:
        The pipeline, which is executed like any other.

    Raises:
        PipelineFileError: If the file does not describe one; says all that is wrong,
            with line and column.

    Example:
        >>> file = getfixture("tmp_path") / "pipeline.yaml"
        >>> _ = file.write_text('''
        ... dag:
        ...   start_at: root
        ...   steps:
        ...     root:
        ...       type: task
        ...       command: math.sqrt
        ...       returns: [{name: y}]
        ...       next: success
        ... ''')
        >>> in_memory = {"run_log_store": {"type": "memory"},
        ...              "catalog": {"type": "do-nothing"}}
        >>> run_log = load_pipeline(file).execute(
        ...     parameters={"x": 81}, services=in_memory)
        >>> run_log.parameters["y"].value
        9.0
    """
    document = read_document(Path(file), "pipeline file")
    reader = _Reader(document)
    graph = reader.read()
    return GraphPipeline(
        **reader.hooks,
        dag=graph,
        file=os.fspath(file),
        name=graph.name,
        description=graph.description,
    )


class _Branch(AnyPipeline):
    """A graph within the file."""

    dag: SkipValidation[Graph]

    def return_dag(self) -> Graph:
        """Return the graph."""
        return self.dag


Keys = tuple[Key, ...]


class _Reader:
    """Makes the graph of one file, and collects what is wrong with it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._findings: list[tuple[str, str]] = []
        self._places: dict[tuple[str, ...], Keys] = {}
        """Locations of the steps in the file, by path."""
        self._import_problems: set[str] = set()
        self.hooks: dict[str, Any] = {}
        """Hooks of the pipeline, by key."""
        self._knows_edges = True
        """True if the successors of all steps are known."""

    def read(self) -> Graph:
        """Make the graph of the file."""
        content = self._document.content
        if "dag" not in content:
            keys = ", ".join(map(str, content)) or "nothing"
            problem = f"no key 'dag' describes a pipeline; there is {keys}"
            raise PipelineFileError(problem, self._document.path)
        graph = self._graph(content["dag"], ("dag",), ())
        # A step that is wrong is replaced by one that leads where it was to lead.
        for found in find_problems(graph) if self._knows_edges else ():
            path = tuple(_PLACEHOLDERS.get(name, name) for name in found.steps)
            # Errors about a whole graph point at its start; its end nodes are there.
            key = found.edge if len(path) % 2 else "start_at"
            self._note(found.text, *self._places[path], *([key] if key else []))
        if not self._findings:
            self._note_types(graph)
        if self._findings:
            (first, place), *others = self._findings
            raise PipelineFileError(first, place, others)
        return graph

    def _note_types(self, graph: Graph) -> None:
        """Note clashes of types, once everything else is right."""
        for found in needs_and_type_findings(graph)[1]:
            path = tuple(_PLACEHOLDERS.get(name, name) for name in found.steps)
            advice = "`check_types: false` of the graph leaves types unchecked"
            self._note(f"{found.text} ({advice})", *self._places[path])

    def _note(self, problem: str, *keys: Key) -> None:
        self._findings.append((problem, self._document.location(*keys)))

    def _graph(self, content: object, at: Keys, path: tuple[str, ...]) -> Graph:
        self._places[path] = at
        nodes: dict[str, Node] = {}
        described = self._mapping(content, "a graph", at)
        if not described:
            self._knows_edges = False
            return Graph("", nodes)
        known = GRAPH_KEYS if path else (*GRAPH_KEYS, *HOOK_KEYS)
        for key, value in described.items():
            if key not in known:
                hint = did_you_mean(str(key), known)
                self._note(f"a graph has no key {key!r}. {hint}", *at, key)
            elif key in HOOK_KEYS:
                self._add_hooks(key, value, (*at, key))
        steps = self._mapping(described.get("steps"), "the `steps` of a graph", at)
        self._knows_edges &= bool(steps) and "start_at" in described
        for name, step in steps.items():
            place = (*at, "steps", name)
            self._places[*path, str(name)] = place
            node = self._node(str(name), step, place, (*path, str(name)))
            if node is not None:
                nodes[node.name] = node
        nodes[SUCCESS_NODE] = SuccessNode(name=SUCCESS_NODE)
        nodes[FAIL_NODE] = FailNode(name=FAIL_NODE)
        return Graph(
            self._text(described, "start_at", "a graph", at),
            nodes,
            self._text(described, "name", "a graph", at, default=""),
            self._text(described, "description", "a graph", at, default=""),
            self._flag(described, "check_types", at),
        )

    def _flag(self, content: Mapping[Any, object], key: str, at: Keys) -> bool:
        value = content.get(key, True)
        if not isinstance(value, bool):
            self._note(f"{key!r} of a graph must be true or false", *at, key)
        return bool(value)

    def _add_hooks(self, key: str, described: object, at: Keys) -> None:
        try:
            self.hooks[key] = as_hooks(described)
        except ValueError as error:
            self._note(f"{key}: {error}", *at)

    def _mapping(self, content: object, what: str, at: Keys) -> Mapping[Any, object]:
        if isinstance(content, Mapping) and content:
            return cast("Mapping[Any, object]", content)
        self._note(f"{what} must be a mapping, and not empty", *at)
        return {}

    def _text(
        self,
        content: Mapping[Any, object],
        key: str,
        what: str,
        at: Keys,
        default: str | None = None,
    ) -> str:
        value = content.get(key, default)
        if value is None and content:
            close = difflib.get_close_matches(key, map(str, content), n=1)
            hint = f"; is it {close[0]!r} that says so?" if close else ""
            self._note(f"{what} needs the key {key!r}{hint}", *at, *close)
        elif value is not None and not isinstance(value, str | int | float):
            self._note(f"{key!r} of {what} must be text", *at, key)
        return str(value if value is not None else "")

    def _node(
        self, name: str, content: object, at: Keys, path: tuple[str, ...]
    ) -> StepNode | None:
        what = f"step {name!r}"
        described = self._mapping(content, what, at)
        kind = self._text(described, "type", what, at)
        if kind in TERMINAL_NAMES:
            self._check_end(name, kind, described, at)
            return None
        for problem in wrong_name(name):
            self._note(problem, *at)
        before = len(self._findings)
        edges = (
            self._text(described, "next", what, at),
            self._text(described, "on_failure", what, at, default=""),
        )
        settings = {
            str(key): self._branches(str(key), value, (*at, key), path)
            for key, value in described.items()
            if key not in ALWAYS
        }
        step = self._step(name, kind, settings, at) if kind else None
        if step is None or len(self._findings) > before:
            self._knows_edges &= bool(edges[0])
            return StubNode(name=name, next_node=edges[0], on_failure=edges[1])
        return step.make_node(*edges)

    def _check_end(
        self, name: str, kind: str, described: Mapping[Any, object], at: Keys
    ) -> None:
        if name != kind:
            self._note(f"the step of type {kind} must have the name {kind!r}", *at)
        for key in described:
            if key != "type":
                self._note(f"a step of type {kind} has no key {key!r}", *at, key)

    def _branches(
        self, key: str, value: object, at: Keys, path: tuple[str, ...]
    ) -> object:
        """Make graphs of what describes branches; leave everything else."""
        if key == "branch" or (key == "default" and _is_mapping(value)):
            return _Branch(dag=self._graph(value, at, (*path, key)))
        if key == "branches":
            return {
                str(name): _Branch(
                    dag=self._graph(branch, (*at, name), (*path, str(name)))
                )
                for name, branch in self._mapping(value, "`branches`", at).items()
            }
        return value

    def _step(
        self, name: str, kind: str, settings: dict[str, object], at: Keys
    ) -> Step | None:
        """Make the step that an author would write in Python."""
        key = "type"  # the one that is looked at
        try:
            found = find_step(kind)
            key = "command_type"
            self._drop_unknown(name, found, settings, at)
            key = "max_attempts"
            _count_attempts(settings)
            key = ""
            step = self._validated(found, name, settings, at)
        except RunnableError as error:
            self._note(str(error), *at, key)
            return None
        return step if step and self._can_run(step, at) else None

    def _validated(
        self, found: type[Step], name: str, settings: dict[str, object], at: Keys
    ) -> Step | None:
        try:
            given: dict[str, Any] = {"name": name, **settings}
            return found(**given)
        except SettingsError as error:
            validation = cast("ValidationError", error.validation)  # just made
            for keys, problem in _explain(validation, settings, found):
                self._note(f"step {name!r}: {problem}", *at, *keys)
            return None

    def _drop_unknown(
        self, name: str, found: type[Step], settings: dict[str, object], at: Keys
    ) -> None:
        if issubclass(found, Stub):
            return  # it stands for any step
        known = keys_of(found, str(settings.get("command_type", "")))
        for key in settings.keys() - known:
            hint = did_you_mean(key, known)
            self._note(f"step {name!r} has no key {key!r}. {hint}", *at, key)
            del settings[key]

    def _can_run(self, step: Step, at: Keys) -> bool:
        if isinstance(step, Task):
            try:
                step.make_task().required()
            except DefinitionError as error:
                # A module that cannot be imported is one problem for all its steps.
                cause = error.__cause__
                known = cause is not None and repr(cause) in self._import_problems
                if not known:
                    self._note(f"step {step.name!r}: {error}", *at, "command")
                if not isinstance(cause, AttributeError | None):
                    self._import_problems.add(repr(cause))
                return False
        return True


@inject
def find_step(kind: str, *, find: FindPlugin = Provide["find_plugin"]) -> type[Step]:
    """Find the class of the steps of a type.

    Args:
        kind: Such as `task`.
        find: Finds what is installed.

    Returns:
        The class.

    Raises:
        DefinitionError: If there is none.
    """
    try:
        found = find("nodes", kind)
    except ServiceNotFoundError as error:
        hint = did_you_mean(kind, error.known)
        raise DefinitionError(f"there is no step of type {kind!r}. {hint}") from None
    if not issubclass(found, Step):
        name = f"{found.__module__}.{found.__qualname__}"
        problem = f"the type {kind!r}, {name}, is no runnable.sdk.Step"
        raise DefinitionError(problem)
    return found


def keys_of(found: type[Step], command_type: str = "") -> set[str]:
    """Return the keys that a step of a class may have in a file."""
    keys = {*ALWAYS, *settings_of(found, command_type)}
    return keys | {"max_attempts"} if "retries" in keys else keys


def _count_attempts(settings: dict[str, object]) -> None:
    """Say `retries` for `max_attempts`, which counts the first try as well."""
    attempts = settings.pop("max_attempts", None)
    if attempts is None:
        return
    if not isinstance(attempts, int) or attempts < 1:
        raise DefinitionError(f"max_attempts is {attempts!r}; it must be 1 or more")
    if "retries" in settings:
        raise DefinitionError("`max_attempts` and `retries` are both given; give one")
    settings["retries"] = attempts - 1


def _explain(
    error: ValidationError, settings: Mapping[str, object], step: type[Step]
) -> Iterator[tuple[Keys, str]]:
    """Yield what pydantic has found: where, and what."""
    found = error.errors(include_input=False, include_url=False)
    for finding in found:
        keys = finding["loc"]
        # Of the forms that a value may have, say what is wrong with the nearest.
        nearest = max(len(it["loc"]) for it in found if it["loc"][:2] == keys[:2])
        if len(keys) < nearest:
            continue
        keys = tuple(_in_the_file(keys, settings))
        where = ".".join(str(key) for key in keys)
        message = finding["msg"].removeprefix("Value error, ")
        if finding["type"] == "missing":
            message = "this key is needed"
        if finding["type"] == "extra_forbidden":
            known = [*_keys_within(step.model_fields[str(keys[0])].annotation)]
            message = f"there is no such key. {did_you_mean(str(keys[-1]), known)}"
        yield keys, f"{where}: {message}" if where else message


def _keys_within(annotation: object) -> Iterator[str]:
    """Yield the fields of the models that a field may have for its value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from annotation.model_fields
    for inner in get_args(annotation):
        yield from _keys_within(inner)


def _in_the_file(keys: Keys, value: object) -> Iterator[Key]:
    """Leave out names of classes, which pydantic puts between the keys."""
    for number, key in enumerate(keys, start=1):
        is_position = isinstance(value, list) and isinstance(key, int)
        if is_position or (isinstance(value, Mapping) and key in value):
            value = cast("Any", value)[key]
        elif number < len(keys):
            continue
        yield key


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)
