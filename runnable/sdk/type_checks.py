"""Find values that a step returns and another one cannot use, by their types.

Theory of operation. The walk of `runnable.graph.dataflow` says which steps may have set
what a step uses. Here is what the annotations of functions say of it, and the judgement
whether one can be given where the other is wanted; see `runnable.parameters.fitting`.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, cast

from runnable.graph import (
    Collected,
    CompositeNode,
    ConditionalNode,
    Graph,
    LoopNode,
    MapNode,
    Need,
    Node,
    TaskNode,
    Use,
    join,
    needs_of,
    uses,
)
from runnable.parameters.fitting import clashes, is_field_of
from runnable.parameters.reduced_types import item_type, reduced_types
from runnable.parameters.value_types import ValueType, type_text
from runnable.tasks import BaseTaskType

_ANY_LIST = list[object] | tuple[object, ...]
"""The type that a map can iterate on."""


class TypeFinding(NamedTuple):
    """A value that a step cannot use."""

    steps: tuple[str, ...]
    """The step, after the steps and branches that it is in."""
    text: str


def needs_and_type_findings(graph: Graph) -> tuple[list[Need], list[TypeFinding]]:
    """Find what a graph needs, and where the types of its parameters clash.

    Args:
        graph: A valid graph.

    Returns:
        The parameters that a run must start with, and what is wrong.
    """
    found = uses(graph, _Annotations())
    clashing = _Clashes()
    findings = [
        *_wrong_returns(graph, "", ()),
        *(it for use in found for it in clashing.of(use)),
    ]
    return needs_of(graph, found), list(dict.fromkeys(findings))


class _Annotations:
    """The `Types` of a graph, by the annotations of its functions."""

    def takes(self, node: Node) -> Mapping[str, object]:
        if isinstance(node, TaskNode) and isinstance(node.task, BaseTaskType):
            return {**dict.fromkeys(node.task.required()), **node.task.takes()}
        if isinstance(node, MapNode):
            return {node.iterate_on: _ANY_LIST}
        if isinstance(node, LoopNode):
            return {node.break_on: bool}
        if isinstance(node, ConditionalNode):
            return {node.parameter: str | int | float}
        return {}

    def gives(self, node: Node) -> Mapping[str, object]:
        if isinstance(node, TaskNode) and isinstance(node.task, BaseTaskType):
            return node.task.gives()
        if isinstance(node, LoopNode):
            return {node.index_as: ValueType(int)}
        return dict.fromkeys(node.brings()) if isinstance(node, CompositeNode) else {}

    def item(self, kind: object) -> object:
        return item_type(kind) if isinstance(kind, ValueType) else None

    def collected(self, node: MapNode, kind: object) -> Collected:
        given = kind if isinstance(kind, ValueType) else None
        return Collected(*reduced_types(node.reducer.reduce, given))


class _Clashes:
    """Compares types; remembers what it has compared."""

    def __init__(self) -> None:
        self._compared: dict[object, bool] = {}

    def of(self, use: Use) -> Iterator[TypeFinding]:
        """Yield what is wrong with a use: no source of the parameter is right."""
        if use.wanted is None or is_field_of(use.wanted, use.name):
            return
        kinds = [cast("ValueType | None", source.kind) for source in use.sources]
        if not all(kind and self._clash(kind, use.wanted) for kind in kinds):
            return
        for source in use.sources:
            text = (
                f"step {use.step!r}: parameter {use.name!r} must be "
                f"{type_text(use.wanted)}, but step {source.step!r} returns "
                f"{source.kind}"
            )
            yield TypeFinding(use.steps, text)

    def _clash(self, given: ValueType, wanted: object) -> bool:
        try:
            found = self._compared.get((given, wanted))
        except TypeError:  # a type that cannot be a key
            return clashes(given, wanted)
        if found is None:
            found = self._compared[given, wanted] = clashes(given, wanted)
        return found


def _wrong_returns(
    graph: Graph, path: str, steps: tuple[str, ...]
) -> Iterator[TypeFinding]:
    """Yield steps that declare more or fewer values than they return."""
    for name, node in graph.nodes.items():
        here, at = join(path, name), (*steps, name)
        if isinstance(node, CompositeNode):
            for branch, inner in node.branches.items():
                yield from _wrong_returns(inner, join(here, branch), (*at, branch))
        elif isinstance(node, TaskNode) and isinstance(node.task, BaseTaskType):
            for text in node.task.type_problems() if graph.check_types else ():
                yield TypeFinding(at, f"step {here!r}: {text}")
