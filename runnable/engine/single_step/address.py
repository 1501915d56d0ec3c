"""Locate a step in a run: its node, and the scope that it is in."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel, Field, JsonValue

from runnable.context import RunContext
from runnable.defaults import (
    COMMAND_FRIENDLY_CHARACTER,
    FAIL,
    LOOP_PLACEHOLDER,
    MAP_PLACEHOLDER,
    SUCCESS,
)
from runnable.engine.parameter_scope import ParameterScope
from runnable.errors import RunError
from runnable.graph import (
    FAIL_NODE,
    SUCCESS_NODE,
    TERMINAL_NAMES,
    BranchNames,
    CompositeNode,
    Graph,
    LoopNode,
    MapNode,
    Node,
    join,
)
from runnable.graph.errors import BranchNotFoundError, NodeNotFoundError
from runnable.journal import Finish, RunNode, RunState, ScopeState
from runnable.parameters import json_or_text


class Given(BaseModel):
    """The value of an iteration."""

    value: JsonValue


class Iteration(BaseModel):
    """The iterations of maps and loops that a step is in, the outermost first.

    Example:
        >>> text = '{"map_variable": {"x": {"value": 3}}, "loop_variable": []}'
        >>> Iteration.model_validate_json(text).map_variable["x"].value
        3
    """

    map_variable: dict[str, Given] = {}
    loop_variable: list[Given] = []
    branch_numbers: list[int] = Field(default=[], exclude=True)
    """Instead of both: the numbers of the branches, in the order they were begun."""


class StepName(NamedTuple):
    """Names a step of a pipeline, as commands do."""

    graph: Graph
    """The graph of the whole pipeline."""
    name: str
    """The path of the step, with placeholders for iterations, or with their names."""
    iteration: Iteration
    in_order: bool = False
    """Whether an orchestrator starts each step when the ones before it have ended, and
    never twice at once."""

    @property
    def is_end(self) -> bool:
        """Whether it is a terminal step."""
        return self.name.rpartition(".")[2] in TERMINAL_NAMES


class Address(NamedTuple):
    """A step that was located in a run."""

    node: Node
    path: str
    scope: ParameterScope
    graph: Graph
    """The graph that the step is in."""


def locate(step: StepName, state: RunState, context: RunContext) -> Address:
    """Find a step by its name.

    Args:
        step: The name.
        state: The state of the run.
        context: Describes the run.

    Raises:
        NodeNotFoundError: If there is no such step, or no such branch.
        RunError: If a branch that it is in has not started.
    """
    scope = ParameterScope("", {}, environment=context.environment())
    graph, names = step.graph, step.name.split(".")
    if len(names) % 2 == 0:
        raise NodeNotFoundError(f"{step.name}.", list(graph.nodes))
    loops = iter(step.iteration.loop_variable)
    numbers = iter(step.iteration.branch_numbers)
    for name, branch in zip(names[:-1:2], names[1::2], strict=False):
        node = _step_named(graph, name)
        path = join(scope.path, node.name)
        scope.parameters = state.parameters_at(path)
        if not isinstance(node, CompositeNode):
            raise BranchNotFoundError(branch)
        inner = _numbered(node, path, branch, numbers, state)
        if inner is not None:
            graph = node.branches[branch]
        else:
            graph, inner = _enter(node, path, branch, step.iteration, loops, state)
        recorded = state.scope(inner) if inner is not None else None
        if recorded is None:
            raise RunError(_why_not(node, path, branch, step.iteration, state))
        number = recorded.path.rpartition(".")[2]
        own = {node.index_as: number} if isinstance(node, LoopNode) else {}
        scope = _scope_of(recorded, scope, own)
    node = _step_named(graph, names[-1])
    path = join(scope.path, node.name)
    scope.parameters = state.parameters_at(path)
    return Address(node, path, scope, graph)


def _scope_of(
    recorded: ScopeState, outer: ParameterScope, own: Mapping[str, str]
) -> ParameterScope:
    environment = {**outer.environment, **own}
    return ParameterScope(recorded.path, {}, recorded.given(), environment, outer)


def check_turn(address: Address, state: RunState) -> None:
    """Refuse a step that is not next, or that is not on the path that was taken.

    Args:
        address: The step.
        state: The state of the run.

    Raises:
        RunError: If the step cannot be run now.
    """
    _check_open(address, state)
    refused = f"step {address.path!r} cannot be run"
    for command in state.walk(address.graph, address.scope.path):
        if isinstance(command, Finish):
            break
        if command.node is address.node:
            return
        if isinstance(command, RunNode):
            before = join(address.scope.path, command.node.name)
            why = f"it is not its turn, step {before!r} has not ended"
            raise RunError(f"{refused}: {why}")
    raise RunError(f"{refused}: the steps before it have taken another path")


def _check_open(address: Address, state: RunState) -> None:
    """Refuse steps of branches that have ended, but for their terminal step."""
    branch = address.scope.path
    recorded = state.scope(branch)
    status = recorded.status if recorded is not None else ""
    ends = {SUCCESS_NODE: SUCCESS, FAIL_NODE: FAIL}
    if status and ends.get(address.node.name) != status:
        what = f"branch {branch!r}" if branch else "the run"
        more = "" if branch else "; `runnable retry` continues one that has failed"
        why = f"{what} has ended, as {status}{more}"
        raise RunError(f"step {address.path!r} cannot be run: {why}")


def _why_not(
    node: CompositeNode,
    step: str,
    branch: str,
    iteration: Iteration,
    state: RunState,
) -> str:
    """Explain why a branch does not exist."""
    recorded = state.step(step)
    started = [
        path.rpartition(".")[2] for path in (recorded.branches if recorded else ())
    ]
    if not started:
        return f"no branch of step {step!r} has started; fan out first"
    if isinstance(node, MapNode) and branch == MAP_PLACEHOLDER:
        given = iteration.map_variable.get(node.iterate_as)
        if given is None:
            needed = f"--iter-variable needs {node.iterate_as!r}"
            return f"which branch of step {step!r}? {needed}"
        branch = str(given.value)
    elif isinstance(node, LoopNode) and not iteration.loop_variable:
        return f"which iteration of step {step!r}? --iter-variable needs loop_variable"
    known = ", ".join(started[:20])
    return f"step {step!r} has no branch {branch!r}; those that have started: {known}"


def _step_named(graph: Graph, name: str) -> Node:
    """Find a step; commands of version 0.50 have % where the name has a space."""
    if name in graph.nodes:
        return graph.nodes[name]
    return graph.node(name.replace(COMMAND_FRIENDLY_CHARACTER, " "))


def _numbered(
    node: CompositeNode,
    step: str,
    branch: str,
    numbers: Iterator[int],
    state: RunState,
) -> str | None:
    """Return the path of a branch that is given by its number, if it is."""
    is_placeholder = branch in {MAP_PLACEHOLDER, LOOP_PLACEHOLDER}
    recorded = state.step(step) if is_placeholder and branch in node.branches else None
    number = next(numbers, None) if recorded is not None else None
    if recorded is None or number is None:
        return None
    paths = list(recorded.branches)
    if not 0 <= number < len(paths):
        raise RunError(f"step {step!r} has begun {len(paths)} branches, no {number}")
    return paths[number]


def _enter(
    node: CompositeNode,
    step: str,
    branch: str,
    iteration: Iteration,
    loops: Iterator[Given],
    state: RunState,
) -> tuple[Graph, str | None]:
    """Return the graph and the path of a branch; no path if it has not started."""
    match node:
        case MapNode():
            graph = node.branches[MAP_PLACEHOLDER]
            if branch != MAP_PLACEHOLDER:
                return graph, join(step, branch)
            given = iteration.map_variable.get(node.iterate_as)
            if given is None:
                return graph, None
            paths = state.branches_with(step, node.iterate_as, given.value)
            if not paths and isinstance(given.value, str):
                # Manifests of Argo quote every item, also a number.
                value = json_or_text(given.value)
                paths = state.branches_with(step, node.iterate_as, value)
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
