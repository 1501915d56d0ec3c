"""Parts of a pipeline: graphs of some of its steps.

Theory of operation. A part has the steps that are asked for, and the failure paths of
these. Where a step that is left out would follow, the next one that is not left out
does, or the end.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import NamedTuple

from runnable.errors import DefinitionError
from runnable.graph.errors import NodeNotFoundError
from runnable.graph.nodes import (
    SUCCESS_NODE,
    TERMINAL_NAMES,
    Graph,
    Node,
    StepNode,
)
from runnable.graph.validation import in_order, reachable, successors


class Part(NamedTuple):
    """Which steps of a pipeline are run; all of them if nothing is said."""

    only: tuple[str, ...] = ()
    """These steps alone, in the order of the pipeline."""
    first: str = ""
    """The step to begin with."""
    last: str = ""
    """The step after whose success the run ends."""


WHOLE = Part()


def part_of(graph: Graph, part: Part) -> Graph:
    """Return the graph of a part of a pipeline.

    Args:
        graph: That of the whole pipeline.
        part: Which steps of it.

    Raises:
        NodeNotFoundError: If it has no such step.
        DefinitionError: If its steps are chosen in two ways, or the last one does not
            come after the first one.
    """
    if part == WHOLE:
        return graph
    if part.only and (part.first or part.last):
        problem = "`only` names the steps of a run; `from_` and `until` do so as well"
        raise DefinitionError(f"{problem}: give the one or the others")
    for name in (*part.only, part.first, part.last):
        if name and name not in graph.step_names:
            raise NodeNotFoundError(name, sorted(graph.step_names))
    chosen = _only(graph, part.only) if part.only else _between(graph, part)
    found = set(reachable(chosen))
    nodes = {
        name: it
        for name, it in chosen.nodes.items()
        if name in found or name in TERMINAL_NAMES
    }
    return replace(chosen, nodes=nodes)


def step_alone(graph: Graph, node: Node) -> Graph:
    """Return the graph of one step, which nothing follows.

    Args:
        graph: That of the pipeline.
        node: A step, which may be in a branch.

    Raises:
        NodeNotFoundError: If it is the end of a graph.
    """
    if not isinstance(node, StepNode):
        raise NodeNotFoundError(node.name, sorted(graph.step_names))
    ends = {name: graph.nodes[name] for name in TERMINAL_NAMES}
    alone = replace(node, next_node=SUCCESS_NODE, on_failure="")
    return replace(graph, start_at=node.name, nodes={node.name: alone, **ends})


class Surroundings(NamedTuple):
    """The steps around those of a part, in the whole pipeline."""

    before: frozenset[str]
    """Those that no step of the part leads to."""
    between: frozenset[str]
    """Those that come after one step of the part, and before another one."""


def surroundings(graph: Graph, kept: AbstractSet[str]) -> Surroundings:
    """Find which steps have run before those of a part, when the whole was run.

    Args:
        graph: The whole pipeline.
        kept: The names of the steps of the part.
    """
    led_to = frozenset(reachable(graph, kept))
    leads_there: set[str] = set(kept)
    for name in reversed(in_order(graph)):
        if not leads_there.isdisjoint(successors(graph.nodes[name])):
            leads_there.add(name)
    others = graph.step_names - kept
    return Surroundings(others - led_to, others & led_to & leads_there)


def _between(graph: Graph, part: Part) -> Graph:
    start = part.first or graph.start_at
    nodes = dict(graph.nodes)
    if part.last:
        if part.last not in reachable(graph, [start]):
            raise DefinitionError(f"step {part.last!r} does not come after {start!r}")
        node = nodes[part.last]
        assert isinstance(node, StepNode)  # noqa: S101 - no end has been asked for
        nodes[part.last] = replace(node, next_node=SUCCESS_NODE)
    return replace(graph, start_at=start, nodes=nodes)


def _only(graph: Graph, names: tuple[str, ...]) -> Graph:
    kept = {*names}
    chosen = [name for name in reachable(graph) if name in kept]
    nodes = dict(graph.nodes)
    for name in chosen:
        node = nodes[name]
        assert isinstance(node, StepNode)  # noqa: S101 - no end has been asked for
        following = next(
            it for it in _after(graph, node) if it in kept or it in TERMINAL_NAMES
        )
        nodes[name] = replace(node, next_node=following)
    return replace(graph, start_at=chosen[0], nodes=nodes)


def _after(graph: Graph, node: StepNode) -> Iterator[str]:
    """Yield what follows a step when all succeed, the end included."""
    following: Node = node
    while isinstance(following, StepNode):
        yield following.next_node
        following = graph.nodes[following.next_node]
