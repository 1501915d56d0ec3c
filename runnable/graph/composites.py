"""Nodes that have branches, each of them a graph of its own."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

from pydantic import JsonValue

from runnable.defaults import LOOP_PLACEHOLDER, MAP_PLACEHOLDER
from runnable.graph.limits import most
from runnable.graph.nodes import Graph, Node, StepNode, TaskNode, Workspace
from runnable.graph.paths import BranchNames

Parallelism = Literal["thread", "process", "none"]
"""How branches overlap: in this process, in processes of their own, or not at all."""


class Overlap(NamedTuple):
    """How the branches of a node overlap; None leaves the choice to the executor."""

    parallelism: Parallelism | None = None
    max_workers: int | None = None
    """How many branches are in flight at once."""

    def describe(self) -> dict[str, JsonValue]:
        """Return the options that are set; nothing otherwise."""
        return {key: it for key, it in self._asdict().items() if it is not None}


NO_OVERLAP_SAID = Overlap()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CompositeNode(StepNode):
    """A node that has branches."""

    branches: Mapping[str, Graph]
    """By name; a node that runs one graph many times has it under a placeholder."""
    overlap: Overlap = NO_OVERLAP_SAID

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of the node."""
        return {
            **StepNode.describe(self),
            "is_composite": True,
            **self.overlap.describe(),
        }

    def file_patterns(self) -> Iterator[tuple[str, Workspace | None]]:
        """Yield what the steps of its branches get and put."""
        for graph in self.branches.values():
            yield from graph.file_patterns

    def limits(self) -> Mapping[str, int]:
        """Return how many slots of limits one of its steps takes, at most, by name."""
        return most(graph.limits for graph in self.branches.values())

    def asks(self) -> tuple[str, ...]:
        """Return the names of the parameters that the node itself needs."""
        return ()

    def brings(self) -> tuple[str, ...]:
        """Return the names of what the node itself gives to its branches."""
        return ()

    def describe_branches(self) -> JsonValue:
        """Return the graphs of the branches, by name."""
        return {name: graph.described for name, graph in self.branches.items()}


class ParallelNode(CompositeNode):
    """Runs all its branches."""

    __slots__ = ()
    node_type: ClassVar[str] = "parallel"

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of the node."""
        return {**CompositeNode.describe(self), "branches": self.describe_branches()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConditionalNode(CompositeNode):
    """Runs the branch that a parameter names."""

    node_type: ClassVar[str] = "conditional"

    parameter: str
    default: str | None = None
    """The branch that is run if none has the name."""

    def asks(self) -> tuple[str, ...]:
        """Return the names of the parameters that the node itself needs."""
        return (self.parameter,)

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of the node."""
        return {
            **CompositeNode.describe(self),
            "parameter": self.parameter,
            "default": self.default,
            "branches": self.describe_branches(),
        }


class Reducer(NamedTuple):
    """How the values that a map has collected become one."""

    text: str | None = None
    """As its author wrote it; None for the list of the values."""
    reduce: Callable[[list[object]], object] | None = None
    """Called with the values in the order of the items."""


KEEP_LIST = Reducer()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MapNode(CompositeNode):
    """Runs one graph for every item of a list."""

    node_type: ClassVar[str] = "map"

    iterate_on: str
    """The parameter that is the list."""
    iterate_as: str
    """The name of the item in the branch."""
    reducer: Reducer = KEEP_LIST

    def asks(self) -> tuple[str, ...]:
        """Return the names of the parameters that the node itself needs."""
        return (self.iterate_on,)

    def brings(self) -> tuple[str, ...]:
        """Return the names of what the node itself gives to its branches."""
        return (self.iterate_as,)

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of the node."""
        return {
            **CompositeNode.describe(self),
            "iterate_on": self.iterate_on,
            "iterate_as": self.iterate_as,
            "reducer": self.reducer.text,
            "branch": self.branches[MAP_PLACEHOLDER].described,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoopNode(CompositeNode):
    """Runs one graph again and again, until a parameter of it ends the loop."""

    node_type: ClassVar[str] = "loop"

    max_iterations: int
    break_on: str
    """The parameter that ends the loop when it is true."""
    index_as: str
    """The name of the iteration's number, from 0, in the branch."""

    def asks(self) -> tuple[str, ...]:
        """Return the names of the parameters that the node itself needs."""
        return (self.break_on,)

    def brings(self) -> tuple[str, ...]:
        """Return the names of what the node itself gives to its branches."""
        return (self.index_as,)

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of the node."""
        return {
            **CompositeNode.describe(self),
            "max_iterations": self.max_iterations,
            "break_on": self.break_on,
            "index_as": self.index_as,
            "branch": self.branches[LOOP_PLACEHOLDER].described,
        }


def tasks_of(works: Iterable[Graph | Node]) -> Iterator[TaskNode]:
    """Yield the tasks of graphs and of their branches; of one and the same graph, once.

    Args:
        works: Graphs, and nodes of graphs.
    """
    seen: set[int] = set()
    for work in works:
        if isinstance(work, TaskNode):
            yield work
        elif isinstance(work, CompositeNode):
            yield from tasks_of(work.branches.values())
        elif isinstance(work, Graph) and id(work) not in seen:
            seen.add(id(work))
            yield from tasks_of(work.nodes.values())


def node_at(graph: Graph, path: str) -> Node | None:
    """Find the node of a step by its path in a run.

    Args:
        graph: That of the whole pipeline.
        path: The path of the step, with the names of its branches.

    Returns:
        The node; None if there is none.
    """
    names = path.split(".")
    for name, branch in zip(names[:-1:2], names[1::2], strict=False):
        node = graph.nodes.get(name)
        if not isinstance(node, CompositeNode):
            return None
        found = _branch(node, branch)
        if found is None:
            return None
        graph = found
    return graph.nodes.get(names[-1])


def _branch(node: CompositeNode, branch: str) -> Graph | None:
    """Find a branch by its name in a path."""
    names = BranchNames()
    for name, graph in node.branches.items():
        if name in {MAP_PLACEHOLDER, LOOP_PLACEHOLDER} or names.name(name) == branch:
            return graph
    return None
