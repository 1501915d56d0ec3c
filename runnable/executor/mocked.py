"""Go through a pipeline without running its tasks, or with others in their place."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict, ValidationError

from runnable.errors import ConfigurationError, DefinitionError, did_you_mean
from runnable.executor.base import BasePipelineExecutor
from runnable.executor.local import LocalOptions
from runnable.graph import (
    CompositeNode,
    Graph,
    Node,
    StubNode,
    TaskNode,
    tasks_of,
    unprovided_parameters,
)
from runnable.journal import AnyParameter
from runnable.tasks import BaseTaskType, PythonTaskType

Patch = Mapping[str, Any] | Callable[..., object]


class MockedExecutor(LocalOptions, BasePipelineExecutor):
    """Goes through a pipeline as ever, but runs only the tasks that are patched.

    What is not patched succeeds, and returns nothing; no files are fetched or kept.

    Example:
        >>> from runnable import Pipeline, PythonTask
        >>> def train() -> float:
        ...     raise RuntimeError("takes a day")
        >>> pipeline = PythonTask(name="t", function=train, returns=["x"]).as_pipeline()
        >>> services = {"run_log_store": {"type": "memory"},
        ...             "pipeline_executor": MockedExecutor(patches={"t": lambda: 0.9})}
        >>> pipeline.execute(services=services).parameters["x"].value
        0.9
    """

    # As in version 0.50: any other option is one of the executor that is mocked.
    model_config = ConfigDict(extra="ignore")

    service_name: str = "mocked"
    patches: dict[str, Patch] = {}
    """The name of a step to what is run in its place: settings of its task, such as
    `command`, or a function; other settings stay as the step has them."""

    def adapt(self, graph: Graph, parameters: Mapping[str, AnyParameter]) -> Graph:
        """Return a graph whose tasks are patched or do nothing."""
        self.check(graph)
        mocked = self._mocked(graph)
        _check_parameters(mocked, graph, parameters)
        return mocked

    def check(self, graph: Graph) -> None:
        """Refuse patches of steps that are not there, or that cannot be made."""
        known = set(_names(graph))
        for name in sorted(self.patches.keys() - known):
            hint = did_you_mean(name, known)
            problem = f"patches: there is no task or stub {name!r}. {hint}"
            raise ConfigurationError(problem)
        self._mocked(graph)

    def _mocked(self, graph: Graph) -> Graph:
        nodes = {name: self._mock(node) for name, node in graph.nodes.items()}
        return replace(graph, nodes=nodes)

    def _mock(self, node: Node) -> Node:
        patch = self.patches.get(node.name)
        match node:
            case TaskNode() if patch is not None:
                return replace(node, task=patched_task(node, patch), catalog=None)
            case TaskNode() | StubNode():
                return _stub(node, patch)
            case CompositeNode():
                branches = {
                    name: self._mocked(graph) for name, graph in node.branches.items()
                }
                return replace(node, branches=branches)
            case _:
                return node


def _names(graph: Graph) -> list[str]:
    inner = [
        name
        for node in graph.nodes.values()
        if isinstance(node, CompositeNode)
        for branch in node.branches.values()
        for name in _names(branch)
    ]
    own = (TaskNode, StubNode)
    return [*(it.name for it in graph.nodes.values() if isinstance(it, own)), *inner]


def _check_parameters(
    mocked: Graph, graph: Graph, parameters: Mapping[str, AnyParameter]
) -> None:
    """Name the mocked step whose return value another step needs."""
    for need in unprovided_parameters(mocked):
        if need.name in parameters:
            continue
        makers = [name for name in _names(graph) if need.name in _provides(graph, name)]
        problem = (
            f"step {need.step!r} needs {need.name!r}, which {', '.join(makers)} would "
            "return: mocked, it returns nothing. Patch it, or give the parameter"
        )
        raise ConfigurationError(problem)


def _provides(graph: Graph, name: str) -> list[str]:
    """Return the results of the step of a name, at any depth of a graph."""
    tasks = [it.task for it in tasks_of([graph]) if it.name == name]
    return [result for task in tasks for result in task.provides()]


def _stub(node: TaskNode | StubNode, patch: Patch | None) -> Node:
    settings: dict[str, Any] = {
        "name": node.name,
        "next_node": node.next_node,
        "on_failure": node.on_failure,
        "overrides": node.overrides,
    }
    if patch is None:
        return StubNode(**settings)
    return TaskNode(**settings, task=_made(node.name, PythonTaskType, {}, patch))


def patched_task(node: TaskNode, patch: Patch) -> BaseTaskType:
    """Make a task with the settings of a patch, and its own settings otherwise.

    Args:
        node: The step whose task is patched.
        patch: Settings of its kind of task, or a function.

    Raises:
        ConfigurationError: If the patch cannot be the task's.
    """
    task = node.task
    assert isinstance(task, BaseTaskType)  # noqa: S101 - the SDK makes no other
    kind = PythonTaskType if callable(patch) else type(task)
    own = {
        name: getattr(task, name)
        for name in type(task).model_fields
        if name in kind.model_fields and name != "task_type"
    }
    if callable(patch) or "command" in patch:
        own.pop("function", None)
        own.pop("command", None)
    return _made(node.name, kind, own, patch)


def _made(
    name: str, kind: type[BaseTaskType], own: dict[str, Any], patch: Patch
) -> BaseTaskType:
    changed: dict[str, Any] = {"function": patch} if callable(patch) else dict(patch)
    try:
        task = kind(**{**own, **changed})
        task.required()
    except ValidationError as error:
        finding = error.errors(include_input=False, include_url=False)[0]
        option = ".".join(map(str, finding["loc"]))
        problem = f"patched step {name!r}: {option}: {finding['msg']}"
        raise ConfigurationError(problem) from None
    except DefinitionError as error:
        raise ConfigurationError(f"patched step {name!r}: {error}") from error
    return task
