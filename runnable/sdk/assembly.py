"""From the steps of a pipeline to its graph."""

from collections.abc import Sequence
from typing import Protocol

from runnable.errors import DefinitionError
from runnable.graph import (
    FAIL_NODE,
    SUCCESS_NODE,
    TERMINAL_NAMES,
    FailNode,
    Graph,
    Node,
    StepNode,
    SuccessNode,
    check_graph,
)


class AnyStep(Protocol):
    """A step, as far as a graph is made of it."""

    name: str

    def failure_graph(self) -> Graph | None:
        """Return the graph that handles its failure, if there is one."""
        ...

    def make_node(self, next_node: str, on_failure: str) -> Node:
        """Return its node."""
        ...

    def leads_to(self) -> str:
        """Return the name of the next node, if it is not that of the next step."""
        ...


def assemble(
    steps: Sequence[AnyStep], name: str, description: str, *, check_types: bool
) -> Graph:
    """Turn steps into a graph.

    Args:
        steps: In their order; a step may lead elsewhere.
        name: Of the pipeline.
        description: Of the pipeline.
        check_types: Whether types of parameters are to be checked.

    Raises:
        DefinitionError: If there are none, or they do not fit together; says why.
    """
    if not steps:
        raise DefinitionError("a pipeline needs at least one step")
    nodes: dict[str, Node] = {}
    findings: list[str] = []
    following = [step.name for step in steps[1:]] + [SUCCESS_NODE]
    for step, next_name in zip(steps, following, strict=True):
        handler = step.failure_graph()
        node = step.make_node(
            step.leads_to() or next_name, handler.start_at if handler else ""
        )
        findings += _add(nodes, node)
        for other in handler.nodes.values() if handler else ():
            # One pipeline may handle the failure of several steps.
            if nodes.get(other.name) is not other and isinstance(other, StepNode):
                findings += _add(nodes, other)
    nodes[SUCCESS_NODE] = SuccessNode(name=SUCCESS_NODE)
    nodes[FAIL_NODE] = FailNode(name=FAIL_NODE)
    graph = Graph(steps[0].name, nodes, name, description, check_types)
    check_graph(graph, findings)
    return graph


def _add(nodes: dict[str, Node], node: Node) -> list[str]:
    if node.name in nodes:
        return [f"two steps have the name {node.name!r}; give one another name=..."]
    nodes[node.name] = node
    return wrong_name(node.name)


def wrong_name(name: str) -> list[str]:
    """Explain why a name cannot be that of a step; empty if it can."""
    if name in TERMINAL_NAMES:
        return [f"a step cannot have the name {name!r}, which every graph uses itself"]
    if not name or "." in name or "%" in name or not name.isprintable():
        return [
            f"{name!r} cannot name a step: a name is printable text without . and %"
        ]
    return []
