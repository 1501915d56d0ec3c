"""Draw a graph as text."""

from collections.abc import Iterator

from runnable.defaults import LOOP_PLACEHOLDER, MAP_PLACEHOLDER
from runnable.graph import (
    TERMINAL_NAMES,
    CompositeNode,
    ConditionalNode,
    Graph,
    LoopNode,
    MapNode,
    Node,
    StepNode,
    TaskNode,
)


def draw(graph: Graph) -> str:
    """Draw a graph, a line for each step, indented in branches.

    Args:
        graph: Any valid graph.

    Returns:
        Lines for people.

    Example:
        >>> from runnable import Pipeline, Stub
        >>> steps = [Stub(name="load"), Stub(name="fit")]
        >>> print(draw(Pipeline(steps=steps, name="daily").return_dag()))
        daily
        ├─ load  stub
        └─ fit  stub
    """
    title = graph.name or "pipeline"
    return "\n".join([title, *_steps(graph, "")])


def _steps(graph: Graph, pad: str) -> Iterator[str]:
    nodes = [node for node in graph.nodes.values() if node.name not in TERMINAL_NAMES]
    for number, node in enumerate(nodes):
        is_last = number == len(nodes) - 1
        following = nodes[number + 1].name if not is_last else "success"
        yield f"{pad}{'└' if is_last else '├'}─ {_line(node, following)}"
        if isinstance(node, CompositeNode):
            yield from _branches(node, f"{pad}{' ' if is_last else '│'}  ")


def _line(node: Node, following: str) -> str:
    """Describe a step; where it leads to, if that is not the line below."""
    parts = [f"{node.name}  {_kind(node)}"]
    if isinstance(node, StepNode):
        if node.next_node != following:
            parts.append(f"then {node.next_node}")
        if node.on_failure:
            parts.append(f"on failure {node.on_failure}")
    return "; ".join(parts)


def _kind(node: Node) -> str:
    match node:
        case TaskNode(task=task):
            description = task.describe()
            names = ", ".join(task.provides())
            returned = f" -> {names}" if names else ""
            command = " ".join(str(description["command"]).split())[:60]
            return f"{description['command_type']} {command}{returned}"
        case MapNode():
            return f"map of {node.iterate_on} as {node.iterate_as}"
        case LoopNode():
            return f"loop until {node.break_on}, at most {node.max_iterations} times"
        case ConditionalNode():
            default = f", else {node.default}" if node.default else ""
            return f"conditional on {node.parameter}{default}"
        case _:
            return node.node_type


def _branches(node: CompositeNode, pad: str) -> Iterator[str]:
    for number, (name, graph) in enumerate(node.branches.items()):
        is_last = number == len(node.branches) - 1
        if name in {MAP_PLACEHOLDER, LOOP_PLACEHOLDER}:
            yield from _steps(graph, pad)
            continue
        yield f"{pad}{'└' if is_last else '├'}─ {name}:"
        yield from _steps(graph, f"{pad}{' ' if is_last else '│'}  ")
