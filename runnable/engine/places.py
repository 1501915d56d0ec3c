"""Find the step that a process of its own is to run, and the scope it stands in."""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel, JsonValue

from runnable.context import RunContext
from runnable.defaults import (
    COMMAND_FRIENDLY_CHARACTER,
    LOOP_PLACEHOLDER,
    MAP_PLACEHOLDER,
)
from runnable.engine.scopes import Scope
from runnable.engine.standing import Standing
from runnable.exceptions import BranchNotFoundError, RunError
from runnable.graph import (
    BranchNames,
    CompositeNode,
    Graph,
    LoopNode,
    MapNode,
    Node,
    join,
)


class Given(BaseModel):
    """The value of an iteration."""

    value: JsonValue


class Iteration(BaseModel):
    """Which iterations of maps and loops a step stands in, the outermost first.

    Example:
        >>> text = '{"map_variable": {"x": {"value": 3}}, "loop_variable": []}'
        >>> Iteration.model_validate_json(text).map_variable["x"].value
        3
    """

    map_variable: dict[str, Given] = {}
    loop_variable: list[Given] = []


class Part(NamedTuple):
    """Which step of which pipeline."""

    graph: Graph
    """That of the whole pipeline."""
    name: str
    """The path of the step, with placeholders for iterations, or with their names."""
    iteration: Iteration


class Place(NamedTuple):
    """Where a step stands."""

    node: Node
    path: str
    scope: Scope


def find(part: Part, standing: Standing, context: RunContext) -> Place:
    """Find a step by its path.

    Args:
        part: The path.
        standing: Where the run stands.
        context: Describes the run.

    Raises:
        NodeNotFoundError: If there is no such step, or no such branch.
        RunError: If a branch that it stands in has not begun.
    """
    scope = Scope("", standing.parameters(""), environment=context.environment())
    graph, names = part.graph, part.name.split(".")
    loops = iter(part.iteration.loop_variable)
    for name, branch in zip(names[:-1:2], names[1::2], strict=False):
        node = _step_named(graph, name)
        step = join(scope.path, node.name)
        if not isinstance(node, CompositeNode):
            raise BranchNotFoundError(branch)
        graph, path = _enter(node, step, branch, part.iteration, loops, standing)
        if path is None or path not in standing.branches:
            why = f"branch {branch!r} of step {step!r} has not begun; fan out first"
            raise RunError(why)
        number = path.rpartition(".")[2]
        own = {node.index_as: number} if isinstance(node, LoopNode) else {}
        scope = standing.scope(path, scope, own)
    node = _step_named(graph, names[-1])
    return Place(node, join(scope.path, node.name), scope)


def _step_named(graph: Graph, name: str) -> Node:
    """Find a step; commands of version 0.50 have % where the name has a space."""
    if name in graph.nodes:
        return graph.nodes[name]
    return graph.node(name.replace(COMMAND_FRIENDLY_CHARACTER, " "))


def _enter(
    node: CompositeNode,
    step: str,
    branch: str,
    iteration: Iteration,
    loops: Iterator[Given],
    standing: Standing,
) -> tuple[Graph, str | None]:
    """Return the graph and the path of a branch; no path if it has not begun."""
    match node:
        case MapNode():
            graph = node.branches[MAP_PLACEHOLDER]
            if branch != MAP_PLACEHOLDER:
                return graph, join(step, branch)
            given = iteration.map_variable.get(node.iterate_as)
            item = given.value if given else None
            return graph, standing.branch_with(step, node.iterate_as, item)
        case LoopNode():
            graph = node.branches[LOOP_PLACEHOLDER]
            number = next(loops, None)
            name = branch if number is None else str(number.value)
            return graph, join(step, name)
        case _:
            return _named(node, step, branch)


def _named(node: CompositeNode, step: str, branch: str) -> tuple[Graph, str]:
    names = BranchNames()
    for name, graph in node.branches.items():
        known = names.name(name)
        if branch in {name, known, name.replace(" ", COMMAND_FRIENDLY_CHARACTER)}:
            return graph, join(step, known)
    raise BranchNotFoundError(branch, list(node.branches))
