"""Find what is wrong with a graph, before anything runs."""

from collections.abc import Iterator

from runnable.exceptions import GraphError, did_you_mean
from runnable.graph.nodes import TERMINAL_NAMES, Graph, Node, StepNode, TaskNode


def validate(graph: Graph) -> None:
    """Refuse a graph that cannot run as it is meant to.

    Args:
        graph: Any graph.

    Raises:
        GraphError: If an edge leads nowhere, steps follow each other in a circle, or
            a step can never be reached. All findings are listed.
    """
    findings = list(_unknown_edges(graph)) or [
        *_cycles(graph),
        *_unreachable(graph),
    ]
    if findings:
        raise GraphError(graph.name, findings)


def successors(node: Node) -> tuple[str, ...]:
    """Return the names of the nodes that may follow, the failure edge last."""
    if not isinstance(node, StepNode):
        return ()
    return (node.next_node, node.on_failure) if node.on_failure else (node.next_node,)


def _unknown_edges(graph: Graph) -> Iterator[str]:
    if graph.start_at not in graph.nodes:
        hint = did_you_mean(graph.start_at, graph.nodes)
        yield f"it starts at {graph.start_at!r}, which is no step. {hint}"
    for node in graph.nodes.values():
        for name in successors(node):
            if name not in graph.nodes:
                hint = did_you_mean(name, graph.nodes)
                yield f"step {node.name!r} leads to {name!r}, which is no step. {hint}"


def _cycles(graph: Graph) -> Iterator[str]:
    # Depth first, by hand: a pipeline of thousands of steps must not overflow.
    done: set[str] = set()
    for start in graph.nodes:
        path: dict[str, Iterator[str]] = {}
        if start not in done:
            path[start] = iter(successors(graph.nodes[start]))
        while path:
            name, following = next(reversed(path.items()))
            after = next(following, None)
            if after is None:
                done.add(name)
                del path[name]
            elif after in path:
                names = list(path)
                circle = [*names[names.index(after) :], after]
                yield "steps follow each other in a circle: " + " -> ".join(circle)
                return
            elif after not in done:
                path[after] = iter(successors(graph.nodes[after]))


def reachable(graph: Graph) -> list[str]:
    """Return the names of the nodes that a run can come to, nearest first."""
    found = [graph.start_at]
    seen = set(found)
    for name in found:
        for after in successors(graph.nodes[name]):
            if after not in seen:
                seen.add(after)
                found.append(after)
    return found


def _unreachable(graph: Graph) -> Iterator[str]:
    seen = set(reachable(graph))
    for name in graph.nodes:
        if name not in seen and name not in TERMINAL_NAMES:
            yield f"step {name!r} can never be reached"


def unprovided_parameters(graph: Graph) -> list[tuple[str, str]]:
    """Find parameters that no earlier step provides, so that the run must start with.

    Args:
        graph: A valid graph.

    Returns:
        The name of each step that asks, with the name of the parameter. A step counts
        as a provider if any path leads from it, so nothing is refused that could run.
    """
    asked = {name for node in _tasks(graph) for name in node.task.required()}
    available: dict[str, frozenset[str]] = {graph.start_at: frozenset()}
    waiting = [graph.start_at]
    while waiting:
        node = graph.nodes[waiting.pop()]
        reached = available[node.name]
        for name in successors(node):
            after = reached
            # What fails returns nothing.
            if isinstance(node, TaskNode) and name == node.next_node:
                after |= asked.intersection(node.task.provides())
            before = available.get(name)
            if before is None or not after <= before:
                available[name] = after | (before or frozenset())
                waiting.append(name)
    return [
        (node.name, name)
        for node in _tasks(graph)
        for name in node.task.required()
        if name not in available[node.name]
    ]


def _tasks(graph: Graph) -> Iterator[TaskNode]:
    return (node for node in graph.nodes.values() if isinstance(node, TaskNode))
