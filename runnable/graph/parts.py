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
    FAIL_NODE,
    SUCCESS_NODE,
    TERMINAL_NAMES,
    Graph,
    Node,
    StepNode,
)
from runnable.graph.validation import reachable


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
        if name and (name not in graph.nodes or name in TERMINAL_NAMES):
            raise NodeNotFoundError(name, sorted({*graph.nodes} - {*TERMINAL_NAMES}))
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
        raise NodeNotFoundError(node.name, sorted({*graph.nodes} - {*TERMINAL_NAMES}))
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
    led_to = frozenset(
        it for name in kept for it in reachable(replace(graph, start_at=name))
    )
    steps = frozenset(graph.nodes) - {*TERMINAL_NAMES} - kept
    between = {
        name
        for name in steps & led_to
        if not kept.isdisjoint(reachable(replace(graph, start_at=name)))
    }
    return Surroundings(steps - led_to, frozenset(between))


def _between(graph: Graph, part: Part) -> Graph:
    start = part.first or graph.start_at
    nodes = dict(graph.nodes)
    if part.last:
        begun = replace(graph, start_at=start)
        if part.last not in reachable(begun):
            raise DefinitionError(f"step {part.last!r} does not come after {start!r}")
        node = nodes[part.last]
        assert isinstance(node, StepNode)  # noqa: S101 - no end has been asked for
        nodes[part.last] = replace(node, next_node=SUCCESS_NODE)
    return replace(graph, start_at=start, nodes=nodes)


def _only(graph: Graph, names: tuple[str, ...]) -> Graph:
    kept = {*names}
    in_order = [name for name in reachable(graph) if name in kept]
    nodes = dict(graph.nodes)
    for name in in_order:
        node = nodes[name]
        assert isinstance(node, StepNode)  # noqa: S101 - no end has been asked for
        following = next(it for it in _after(graph, node) if it in kept or _ends(it))
        nodes[name] = replace(node, next_node=following)
    return replace(graph, start_at=in_order[0], nodes=nodes)


def _ends(name: str) -> bool:
    return name in {SUCCESS_NODE, FAIL_NODE}


def _after(graph: Graph, node: StepNode) -> Iterator[str]:
    """Yield what follows a step when all succeed, the end included."""
    following: Node = node
    while isinstance(following, StepNode):
        yield following.next_node
        following = graph.nodes[following.next_node]
