"""Find the step that a process of its own is to run, and the scope it stands in."""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import BaseModel, JsonValue

from runnable.context import RunContext
from runnable.defaults import (
    COMMAND_FRIENDLY_CHARACTER,
    FAIL,
    LOOP_PLACEHOLDER,
    MAP_PLACEHOLDER,
    SUCCESS,
)
from runnable.engine.history import History
from runnable.engine.scopes import Scope
from runnable.engine.standing import Standing
from runnable.engine.traversal import Outcome, RunNode, Traversal
from runnable.exceptions import BranchNotFoundError, NodeNotFoundError, RunError
from runnable.graph import (
    FAIL_NODE,
    SUCCESS_NODE,
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
    graph: Graph
    """What it stands in."""


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
    if len(names) % 2 == 0:
        raise NodeNotFoundError(f"{part.name}.", list(graph.nodes))
    loops = iter(part.iteration.loop_variable)
    for name, branch in zip(names[:-1:2], names[1::2], strict=False):
        node = _step_named(graph, name)
        step = join(scope.path, node.name)
        if not isinstance(node, CompositeNode):
            raise BranchNotFoundError(branch)
        graph, path = _enter(node, step, branch, part.iteration, loops, standing)
        if path is None or path not in standing.branches:
            raise RunError(_why_not(node, step, branch, part.iteration, standing))
        number = path.rpartition(".")[2]
        own = {node.index_as: number} if isinstance(node, LoopNode) else {}
        scope = standing.scope(path, scope, own)
    node = _step_named(graph, names[-1])
    return Place(node, join(scope.path, node.name), scope, graph)


def check_turn(place: Place, history: History, standing: Standing) -> None:
    """Refuse a step that the run has not come to, or has gone past on another way.

    Args:
        place: The step.
        history: What is recorded of the run.
        standing: Where the run stands.

    Raises:
        RunError: If it is not its turn.
    """
    _check_open(place, standing)
    traversal = Traversal(place.graph)
    while isinstance(command := traversal.command, RunNode):
        node = command.node
        if node is place.node:
            return
        path = join(place.scope.path, node.name)
        past = history.of(path)
        if past is None or past.finished is None:
            why = f"it is not its turn, step {path!r} has not ended"
            raise RunError(f"step {place.path!r} cannot be run: {why}")
        succeeded = past.finished.status == SUCCESS
        traversal.advance(Outcome.SUCCEEDED if succeeded else Outcome.FAILED)
    why = "what the steps before it came to leads elsewhere"
    raise RunError(f"step {place.path!r} cannot be run: {why}")


def _check_open(place: Place, standing: Standing) -> None:
    """Refuse what stands in something that has ended, but for its very end."""
    branch = place.scope.path
    status = standing.status_of(branch)
    ends = {SUCCESS_NODE: SUCCESS, FAIL_NODE: FAIL}
    if status and ends.get(place.node.name) != status:
        what = f"branch {branch!r}" if branch else "the run"
        more = "" if branch else "; `runnable retry` goes on with one that has failed"
        why = f"{what} has ended, as {status}{more}"
        raise RunError(f"step {place.path!r} cannot be run: {why}")


def _why_not(
    node: CompositeNode,
    step: str,
    branch: str,
    iteration: Iteration,
    standing: Standing,
) -> str:
    """Say why a branch is not there."""
    begun = [path.rpartition(".")[2] for path in standing.branches_of(step)]
    if not begun:
        return f"no branch of step {step!r} has begun; fan out first"
    if isinstance(node, MapNode) and branch == MAP_PLACEHOLDER:
        given = iteration.map_variable.get(node.iterate_as)
        if given is None:
            needed = f"--iter-variable needs {node.iterate_as!r}"
            return f"which branch of step {step!r}? {needed}"
        branch = str(given.value)
    elif isinstance(node, LoopNode) and not iteration.loop_variable:
        return f"which iteration of step {step!r}? --iter-variable needs loop_variable"
    known = ", ".join(begun[:20])
    return f"step {step!r} has no branch {branch!r}; those that have begun: {known}"


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
            if given is None:
                return graph, None
            paths = standing.branches_with(step, node.iterate_as, given.value)
            if len(paths) > 1:
                names = ", ".join(paths)
                why = f"several branches were given {given.value!r}; name one: {names}"
                raise RunError(why)
            return graph, paths[0] if paths else None
        case LoopNode():
            graph = node.branches[LOOP_PLACEHOLDER]
            number = next(loops, None) if branch == LOOP_PLACEHOLDER else None
            return graph, join(step, branch if number is None else str(number.value))
        case _:
            return _named(node, step, branch)


def _named(node: CompositeNode, step: str, branch: str) -> tuple[Graph, str]:
    names = BranchNames()
    for name, graph in node.branches.items():
        known = names.name(name)
        if branch in {name, known, name.replace(" ", COMMAND_FRIENDLY_CHARACTER)}:
            return graph, join(step, known)
    raise BranchNotFoundError(branch, list(node.branches))
