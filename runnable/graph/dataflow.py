"""Which parameters a graph asks for that nothing in it provides.

Theory of operation. A parameter counts as available at a step if any path leads to the
step on which another one may have set it, so nothing is refused that could run. What
fails sets nothing, except a loop, whose iterations before the failing one count. A
branch reads through to the scope that its step is in.
"""

from collections.abc import Iterator
from typing import NamedTuple

from runnable.graph.composites import CompositeNode, LoopNode
from runnable.graph.nodes import Graph, Node, StepNode, TaskNode
from runnable.graph.paths import join
from runnable.graph.validation import successors


class Need(NamedTuple):
    """A parameter that a run has to start with."""

    step: str
    """The path of the step that asks, with the names of branches as defined."""
    name: str
    command: str = ""
    """The function that asks; empty if the step itself does."""
    known: frozenset[str] = frozenset()
    """Names that there are, for suggestions."""
    hint: str = ""
    """What else may be the reason."""


Names = frozenset[str]
_NO_NAMES: Names = frozenset()


def unprovided_parameters(graph: Graph) -> list[Need]:
    """Find parameters that no earlier step provides, so that the run must start with.

    Args:
        graph: A valid graph.

    Returns:
        What is needed, in the order of the steps.
    """
    known = provided(graph)
    found = _needs(graph, "", frozenset(), frozenset(_asked(graph)))
    return [need._replace(known=need.known | known) for need in found]


def provided(graph: Graph) -> Names:
    """Return the names of all parameters that steps of a graph may set."""
    return _NO_NAMES.union(*(_provides(node) for node in graph.nodes.values()))


def _needs(graph: Graph, path: str, known: Names, asked: Names) -> Iterator[Need]:
    available = _available(graph, known, asked)
    for node in graph.nodes.values():
        yield from _needs_of(node, path, available.get(node.name, known), asked)


def _available(graph: Graph, known: Names, asked: Names) -> dict[str, Names]:
    """Return what each node may find; narrowed to what is asked for at all."""
    available = {graph.start_at: known}
    waiting = [graph.start_at]
    while waiting:
        node = graph.nodes[waiting.pop()]
        reached = available[node.name]
        for name in successors(node):
            after = reached
            if isinstance(node, LoopNode) or (
                isinstance(node, StepNode) and name == node.next_node
            ):
                after |= asked & _provides(node)
            before = available.get(name)
            if before is None or not after <= before:
                available[name] = after | (before or frozenset())
                waiting.append(name)
    return available


def _asked(graph: Graph) -> Iterator[str]:
    for node in graph.nodes.values():
        if isinstance(node, TaskNode):
            yield from node.task.required()
        elif isinstance(node, CompositeNode):
            yield from node.asks()
            for branch in node.branches.values():
                yield from _asked(branch)


def _provides(node: Node) -> Names:
    if isinstance(node, TaskNode):
        return frozenset(node.task.provides())
    if isinstance(node, CompositeNode):
        return _NO_NAMES.union(*map(provided, node.branches.values()))
    return frozenset()


def _needs_of(node: Node, path: str, found: Names, asked: Names) -> Iterator[Need]:
    here = join(path, node.name)
    if isinstance(node, TaskNode):
        command = str(node.task.describe().get("command", ""))
        missing = [name for name in node.task.required() if name not in found]
        hint = node.task.hint
        yield from (Need(here, name, command, hint=hint) for name in missing)
    elif isinstance(node, CompositeNode):
        within = found.union(node.brings())
        if isinstance(node, LoopNode):
            # It asks after an iteration; the first one finds only what was before.
            found |= _provides(node)
        yield from (Need(here, name) for name in node.asks() if name not in found)
        for branch, graph in node.branches.items():
            # Parameters that are named after each item contain its name here.
            place = join(here, ", ".join(f"{{{it}}}" for it in node.brings()) or branch)
            for need in _needs(graph, place, within, asked):
                yield need._replace(known=need.known.union(node.brings()))
