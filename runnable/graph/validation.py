"""Find what is wrong with a graph, before anything runs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from runnable.errors import did_you_mean
from runnable.graph.composites import CompositeNode
from runnable.graph.errors import GraphError
from runnable.graph.nodes import (
    FAIL_NODE,
    SUCCESS_NODE,
    TERMINAL_NAMES,
    FailNode,
    Graph,
    Node,
    StepNode,
    SuccessNode,
)

EDGES = ("next", "on_failure")
"""The keys of a step in a file that name other steps."""


class Finding(NamedTuple):
    """Something that is wrong with a graph."""

    text: str
    steps: tuple[str, ...] = ()
    """The step that it is about, after the steps and branches that it is in."""
    edge: str = ""
    """The key that is wrong: `next` or `on_failure`."""

    def __str__(self) -> str:
        text = self.text
        outer = self.steps[: len(self.steps) // 2 * 2]
        for step, branch in zip(outer[-2::-2], outer[-1::-2], strict=True):
            text = f"branch {branch!r} of step {step!r}: {text}"
        return text


def check_graph(graph: Graph, findings: Sequence[str] = ()) -> None:
    """Refuse a graph that cannot run as it is meant to.

    Args:
        graph: Any graph; the graphs of its branches are looked at as well.
        findings: What is known to be wrong already.

    Raises:
        GraphError: If an edge leads nowhere, steps follow each other in a circle, a
            step can never be reached, or there is no end to come to. All findings are
            listed.
    """
    # While names are wrong, cycles and dead ends cannot be judged.
    more = (_unknown_edges if findings else find_problems)(graph)
    found = [*findings, *map(str, more)]
    if found:
        raise GraphError(graph.name, found)


def find_problems(graph: Graph) -> Iterator[Finding]:
    """Yield what is wrong with a graph and those of its branches; see `check_graph`.

    Args:
        graph: Any graph.
    """
    unknown = list(_unknown_edges(graph))
    yield from unknown
    yield from _missing_ends(graph)
    yield from _cycles(graph)
    if not unknown:
        # The target of a wrong name is unknown.
        yield from _unreachable(graph)
    for node in graph.nodes.values():
        if isinstance(node, CompositeNode):
            yield from _inside(node)


def _inside(node: CompositeNode) -> Iterator[Finding]:
    for name, branch in node.branches.items():
        for text, steps, edge in find_problems(branch):
            yield Finding(text, (node.name, name, *steps), edge)


def _missing_ends(graph: Graph) -> Iterator[Finding]:
    for name, kind in ((SUCCESS_NODE, SuccessNode), (FAIL_NODE, FailNode)):
        if not isinstance(graph.nodes.get(name), kind):
            yield Finding(f"it has no {name} node to end at")


def successors(node: Node) -> tuple[str, ...]:
    """Return the names of the nodes that may follow, the failure edge last."""
    if not isinstance(node, StepNode):
        return ()
    return (node.next_node, node.on_failure) if node.on_failure else (node.next_node,)


def _unknown_edges(graph: Graph) -> Iterator[Finding]:
    if graph.start_at not in graph.nodes:
        hint = did_you_mean(graph.start_at, graph.nodes)
        yield Finding(f"it starts at {graph.start_at!r}, which is no step. {hint}")
    for node in graph.nodes.values():
        for edge, name in zip(EDGES, successors(node), strict=False):
            if name not in graph.nodes:
                hint = did_you_mean(name, graph.nodes)
                text = f"step {node.name!r} leads to {name!r}, which is no step. {hint}"
                yield Finding(text, (node.name,), edge)


def _cycles(graph: Graph) -> Iterator[Finding]:
    # Depth first, by hand: a pipeline of thousands of steps must not overflow.
    done: set[str] = set()
    for start in graph.nodes:
        path: dict[str, Iterator[str]] = {}
        if start not in done:
            path[start] = _known_successors(graph, start)
        while path:
            name, following = next(reversed(path.items()))
            after = next(following, None)
            if after is None:
                done.add(name)
                del path[name]
            elif after in path:
                names = list(path)
                circle = [*names[names.index(after) :], after]
                text = "steps follow each other in a circle: " + " -> ".join(circle)
                yield Finding(text, (name,))
            elif after not in done:
                path[after] = _known_successors(graph, after)


def _known_successors(graph: Graph, name: str) -> Iterator[str]:
    return (it for it in successors(graph.nodes[name]) if it in graph.nodes)


def reachable(graph: Graph, starts: Iterable[str] = ()) -> list[str]:
    """Return the names of the nodes that a run can come to, nearest first.

    Args:
        graph: The graph.
        starts: Where it may begin; where the graph does, if there are none.
    """
    found = [*starts] or [graph.start_at]
    seen = set(found)
    for name in found:
        for after in successors(graph.nodes[name]):
            if after not in seen:
                seen.add(after)
                found.append(after)
    return found


def in_order(graph: Graph) -> list[str]:
    """Return the nodes that can be reached, each after all that lead to it.

    Args:
        graph: A valid graph.
    """
    nodes = reachable(graph)
    edges = Counter(it for name in nodes for it in successors(graph.nodes[name]))
    found: list[str] = []
    waiting = [graph.start_at]
    while waiting:
        name = waiting.pop()
        found.append(name)
        for after in successors(graph.nodes[name]):
            edges[after] -= 1
            if not edges[after]:
                waiting.append(after)
    return found


def _unreachable(graph: Graph) -> Iterator[Finding]:
    seen = set(reachable(graph))
    for name in graph.nodes:
        if name not in seen and name not in TERMINAL_NAMES:
            yield Finding(f"step {name!r} can never be reached", (name,))
