"""Put other functions in the place of a pipeline's own."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from runnable.errors import DefinitionError, did_you_mean
from runnable.executor.mocked import MockedExecutor, patched_task
from runnable.graph import CompositeNode, Graph, Node, TaskNode
from runnable.sdk.pipeline import GraphPipeline, Pipeline


def mocked(**functions: Callable[..., object]) -> MockedExecutor:
    """Make an executor that runs these functions, and no other task.

    Args:
        functions: By the names of their steps; what is not named succeeds, and returns
            nothing.

    Returns:
        The executor, which is given as the service `pipeline_executor`.

    Example:
        >>> from runnable import PythonTask
        >>> def train():
        ...     raise RuntimeError("takes a day")
        >>> step = PythonTask(name="fit", function=train, returns=["x"])
        >>> pipeline = step.as_pipeline()
        >>> in_memory = {"run_log_store": {"type": "memory"}}
        >>> services = {**in_memory, "pipeline_executor": mocked(fit=lambda: 0.9)}
        >>> pipeline.execute(services=services).parameters["x"].value
        0.9
    """
    return MockedExecutor(patches=dict(functions))


def replaced(
    pipeline: Pipeline,
    functions: Mapping[str, Callable[..., object]] | None = None,
    **more: Callable[..., object],
) -> Pipeline:
    """Make a pipeline in which some steps call other functions; the rest is real.

    Args:
        pipeline: The pipeline, which stays as it is.
        functions: By the names of steps, in branches too.
        more: The same, for names that are words.

    Returns:
        Another pipeline.

    Raises:
        DefinitionError: If there is no task of a name.

    Example:
        >>> from runnable import PythonTask
        >>> pipeline = PythonTask(name="s", function=lambda: 1, returns=["x"])
        >>> pipeline = pipeline.as_pipeline()
        >>> services = {"run_log_store": {"type": "memory"},
        ...             "catalog": {"type": "do-nothing"}}
        >>> run_log = replaced(pipeline, s=lambda: 3).execute(services=services)
        >>> run_log.parameters["x"].value
        3
    """
    wanted = {**(functions or {}), **more}
    known: list[str] = []
    graph = _replaced(pipeline.return_dag(), wanted, known)
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, known)
            raise DefinitionError(f"there is no task {name!r} to replace. {hint}")
    return GraphPipeline(dag=graph, name=graph.name, description=graph.description)


def _replaced(
    graph: Graph, functions: Mapping[str, Callable[..., object]], known: list[str]
) -> Graph:
    def other(node: Node) -> Node:
        if isinstance(node, CompositeNode):
            branches = {
                name: _replaced(branch, functions, known)
                for name, branch in node.branches.items()
            }
            return replace(node, branches=branches)
        if not isinstance(node, TaskNode):
            return node
        known.append(node.name)
        if node.name not in functions:
            return node
        return replace(node, task=patched_task(node, functions[node.name]))

    return replace(graph, nodes={name: other(it) for name, it in graph.nodes.items()})
