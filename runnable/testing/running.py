"""Run one step alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from runnable.datastore import RunLog
from runnable.graph import (
    FAIL_NODE,
    SUCCESS_NODE,
    FailNode,
    Graph,
    StepNode,
    SuccessNode,
    node_at,
)
from runnable.graph.errors import NodeNotFoundError
from runnable.sdk.pipeline import GraphPipeline, Pipeline


class StepResult(NamedTuple):
    """The result of one step."""

    run_log: RunLog
    path: str

    @property
    def status(self) -> str:
        """The status of its run."""
        return self.run_log.status

    @property
    def outputs(self) -> dict[str, object]:
        """Its returned values, by name; objects are loaded."""
        step, _ = self.run_log.search_step_by_internal_name(self.path)
        if not step.attempts:
            parameters: Mapping[str, object] = {
                name: it.get_value() for name, it in self.run_log.parameters.items()
            }
            return dict(parameters)
        last = step.attempts[-1].output_parameters
        return {name: it.get_value() for name, it in last.items()}


def one_step(pipeline: Pipeline, path: str) -> Pipeline:
    """Make a pipeline of one step of another one.

    Args:
        pipeline: Where the step is from.
        path: Its path, such as `fit`, or `each.branch.fit` in a map or a loop, where
            `branch` is any word.

    Returns:
        A pipeline of that step alone; it fails if the step does.

    Raises:
        NodeNotFoundError: If there is no such step.

    Example:
        >>> from runnable import Pipeline, Stub
        >>> whole = Pipeline(steps=[Stub(name="a"), Stub(name="b")])
        >>> list(one_step(whole, "b").return_dag().nodes)
        ['b', 'success', 'fail']
    """
    graph = pipeline.return_dag()
    node = node_at(graph, path)
    if not isinstance(node, StepNode):
        raise NodeNotFoundError(path, list(graph.nodes))
    alone = replace(node, next_node=SUCCESS_NODE, on_failure="")
    nodes = {
        node.name: alone,
        SUCCESS_NODE: SuccessNode(name=SUCCESS_NODE),
        FAIL_NODE: FailNode(name=FAIL_NODE),
    }
    return GraphPipeline(dag=Graph(node.name, nodes, graph.name))
