"""Go through a pipeline without running its tasks, or with others in their place."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict, ValidationError

from runnable.datastore import AnyParameter, RunLog
from runnable.engine import Runtime
from runnable.exceptions import ConfigurationError, did_you_mean
from runnable.executor.base import BasePipelineExecutor
from runnable.executor.here import run_here
from runnable.executor.local import RunsHere
from runnable.graph import CompositeNode, Graph, Node, StubNode, TaskNode
from runnable.tasks import BaseTaskType, PythonTaskType

Patch = Mapping[str, Any] | Callable[..., object]


class MockedExecutor(RunsHere, BasePipelineExecutor):
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
    `command`, or a function; what is not said stays as the step has it."""

    async def execute_graph(
        self,
        graph: Graph,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
    ) -> RunLog:
        """Go through a pipeline here."""
        unknown = self.patches.keys() - set(_names(graph))
        for name in sorted(unknown):
            hint = did_you_mean(name, _names(graph))
            raise ConfigurationError(f"patches: there is no step {name!r}. {hint}")
        return await run_here(self._mocked(graph), parameters, runtime)

    def _mocked(self, graph: Graph) -> Graph:
        nodes = {name: self._mock(node) for name, node in graph.nodes.items()}
        return replace(graph, nodes=nodes)

    def _mock(self, node: Node) -> Node:
        patch = self.patches.get(node.name)
        match node:
            case TaskNode() if patch is not None:
                return replace(node, task=_patched(node, patch), catalog=None)
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
    return [*graph.nodes, *inner]


def _stub(node: TaskNode | StubNode, patch: Patch | None) -> Node:
    settings: dict[str, Any] = {
        "name": node.name,
        "next_node": node.next_node,
        "on_failure": node.on_failure,
        "overrides": node.overrides,
    }
    if patch is None:
        return StubNode(**settings)
    task = PythonTaskType(**_settings(patch))
    return TaskNode(**settings, task=task)


def _settings(patch: Patch) -> dict[str, Any]:
    return {"function": patch} if callable(patch) else dict(patch)


def _patched(node: TaskNode, patch: Patch) -> BaseTaskType:
    task = node.task
    assert isinstance(task, BaseTaskType)  # noqa: S101 - the SDK makes no other
    kind = PythonTaskType if callable(patch) else type(task)
    kept: dict[str, Any] = {"returns": task.returns, "secrets": task.secrets}
    if isinstance(task, PythonTaskType):
        kept["stream_end_type"] = task.stream_end_type
    try:
        return kind(**{**kept, **_settings(patch)})
    except ValidationError as error:
        finding = error.errors(include_input=False, include_url=False)[0]
        option = ".".join(map(str, finding["loc"]))
        problem = f"patches: step {node.name!r}: {option}: {finding['msg']}"
        raise ConfigurationError(problem) from None
