"""Which steps use which parameters, and where these come from.

Theory of operation. A step can use what any path that leads to it may have set, so
nothing is refused that could run. One walk in the order of the edges carries the
sources of each parameter from step to step: a step replaces those of what it returns,
and where paths join, all of them are possible. What fails sets nothing, except a loop,
whose iterations before the failing one count. A branch reads through to the scope that
its step is in. What types are is for the `Types` that the walk is given.
"""

from collections import ChainMap
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from runnable.graph.composites import CompositeNode, ConditionalNode, LoopNode, MapNode
from runnable.graph.nodes import Graph, Node, StepNode, StubNode, TaskNode
from runnable.graph.paths import join
from runnable.graph.validation import in_order

Names = frozenset[str]
_NO_NAMES: Names = frozenset()


class Source(NamedTuple):
    """A step that may have set a parameter."""

    step: str
    """Its path, with the names of branches as defined."""
    kind: object = None
    """The type of the value; None if it is not known."""


class Use(NamedTuple):
    """A parameter that a step uses, or that is reduced."""

    step: str
    """The path of the step, with the names of branches as defined."""
    steps: tuple[str, ...]
    """The same by names alone."""
    name: str
    sources: tuple[Source, ...]
    wanted: object = None
    """The type that it must have; None if any will do."""
    is_needed: bool = False
    """Whether the step cannot do without it."""
    command: str = ""
    """The function that uses it; empty if the step itself does."""
    hint: str = ""
    """Another possible reason if it is missing."""
    known: Names = _NO_NAMES
    """Names that only the branch knows, for suggestions."""


class Need(NamedTuple):
    """A parameter that a run has to start with."""

    step: str
    """The path of the step that asks, with the names of branches as defined."""
    name: str
    command: str = ""
    """The function that asks; empty if the step itself does."""
    known: Names = _NO_NAMES
    """Names that there are, for suggestions."""
    hint: str = ""
    """Another possible reason."""


class Collected(NamedTuple):
    """Types of what a map collects from its branches."""

    given: object = None
    """The values for the reducer."""
    wanted: object = None
    """The type that it needs."""
    result: object = None
    """The type of the parameter."""


class Types(Protocol):
    """Finds the types of parameters; None stands for one that is not known."""

    def takes(self, node: Node) -> Mapping[str, object]:
        """Return the types of the parameters that a node may use, by name."""
        ...

    def gives(self, node: Node) -> Mapping[str, object]:
        """Return the types of what a task returns, or a composite brings, by name."""
        ...

    def item(self, kind: object) -> object:
        """Return the type of the items of a list."""
        ...

    def collected(self, node: MapNode, kind: object) -> Collected:
        """Return the types of what a map makes of values of a type."""
        ...


class _NoTypes:
    """Looks at names only."""

    def takes(self, node: Node) -> Mapping[str, object]:
        return dict.fromkeys(_asked(node))

    def gives(self, node: Node) -> Mapping[str, object]:
        return dict.fromkeys(_given(node))

    def item(self, kind: object) -> object:
        del kind
        return None

    def collected(self, node: MapNode, kind: object) -> Collected:
        del node, kind
        return Collected()


NO_TYPES = _NoTypes()

_Scope = dict[str, tuple[Source, ...]]
"""Parameters that the steps of one graph have set."""
_Visible = ChainMap[str, tuple[Source, ...]]
"""That, and what the graphs around it have."""


def uses(graph: Graph, types: Types = NO_TYPES) -> list[Use]:
    """Find what each step uses, and where it may come from.

    Args:
        graph: A valid graph.
        types: Finds the types.

    Returns:
        The uses in the order of the steps; one in a loop may be there twice, for the
        first iteration and for the others.
    """
    return _Walk(types).through(graph, "", (), ChainMap())[0]


def needs_of(graph: Graph, found: list[Use]) -> list[Need]:
    """Choose those that the run must start with, since no step provides them.

    Args:
        graph: The graph.
        found: Its uses.
    """
    known = provided(graph)
    return [
        Need(use.step, use.name, use.command, use.known | known, use.hint)
        for use in found
        if use.is_needed and not use.sources
    ]


def unprovided_parameters(graph: Graph) -> list[Need]:
    """Find parameters that no earlier step provides, so that the run must start with.

    Args:
        graph: A valid graph.

    Returns:
        What is needed, in the order of the steps.
    """
    return needs_of(graph, uses(graph))


def names_known(graph: Graph) -> Names | None:
    """Return the names of all parameters that the steps of a graph may use or set.

    Args:
        graph: The graph.

    Returns:
        None if a step may use any parameter.
    """
    names = provided(graph)
    for node in _all_nodes(graph):
        taken = node.task.names_taken() if isinstance(node, TaskNode) else _asked(node)
        if taken is None or isinstance(node, StubNode):
            return None  # a stub stands for any task
        names |= frozenset(taken)
    return names


def _all_nodes(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes.values():
        yield node
        for branch in node.branches.values() if isinstance(node, CompositeNode) else ():
            yield from _all_nodes(branch)


def provided(graph: Graph) -> Names:
    """Return the names of all parameters that steps of a graph may set."""
    return _NO_NAMES.union(*(_provides(node) for node in graph.nodes.values()))


def _provides(node: Node) -> Names:
    if isinstance(node, CompositeNode):
        return _NO_NAMES.union(*map(provided, node.branches.values()))
    return frozenset(_given(node))


def _given(node: Node) -> tuple[str, ...]:
    if isinstance(node, TaskNode):
        return tuple(node.task.provides())
    return node.brings() if isinstance(node, CompositeNode) else ()


def _asked(node: Node) -> tuple[str, ...]:
    if isinstance(node, TaskNode):
        return tuple(node.task.required())
    return node.asks() if isinstance(node, CompositeNode) else ()


class _Walk:
    def __init__(self, types: Types) -> None:
        self._types = types

    def through(
        self,
        graph: Graph,
        path: str,
        steps: tuple[str, ...],
        outside: _Visible,
    ) -> tuple[list[Use], _Scope]:
        """Walk through a graph; return its uses, and what it sets if it succeeds."""
        found: dict[str, list[Use]] = {}
        scopes: dict[str, _Scope] = {graph.start_at: {}}
        after: _Scope = {}
        for name in in_order(graph):
            node, scope = graph.nodes[name], scopes.pop(name)
            if not isinstance(node, StepNode):
                after = scope if node.node_type == "success" else after
                continue
            visible = ChainMap(scope, *outside.maps)
            here, at = join(path, name), (*steps, name)
            found[name], given = self._step(node, here, at, visible)
            if node.on_failure:
                failed = {**scope, **given} if isinstance(node, LoopNode) else scope
                _arrive(scopes, node.on_failure, dict(failed), outside)
            scope.update(given)
            _arrive(scopes, node.next_node, scope, outside)
        found_uses = [use for name in graph.nodes for use in found.get(name, ())]
        if not graph.check_types:
            found_uses = [use._replace(wanted=None) for use in found_uses]
        return found_uses, after

    def _step(
        self,
        node: Node,
        here: str,
        at: tuple[str, ...],
        scope: _Visible,
    ) -> tuple[list[Use], _Scope]:
        if isinstance(node, CompositeNode):
            return self._composite(node, here, at, scope)
        if not isinstance(node, TaskNode):
            return [], {}
        needed = {*node.task.required()}
        command = str(node.task.describe().get("command", ""))
        found = [
            Use(
                *(here, at, name, scope.get(name, ()), kind),
                *(name in needed, command, node.task.hint),
            )
            for name, kind in self._types.takes(node).items()
        ]
        given = self._types.gives(node)
        return found, {name: (Source(here, kind),) for name, kind in given.items()}

    def _composite(
        self,
        node: CompositeNode,
        here: str,
        at: tuple[str, ...],
        scope: _Visible,
    ) -> tuple[list[Use], _Scope]:
        found, given = self._branches(node, here, at, scope)
        if isinstance(node, LoopNode):
            # Later iterations find what earlier ones have set, and so does the loop.
            again = ChainMap({**scope, **given})
            found += [
                use._replace(is_needed=False)
                for use in self._branches(node, here, at, again)[0]
                if use.wanted is not None
            ]
            unsure = dict.fromkeys(_provides(node) - given.keys(), (Source(here),))
            given |= unsure  # of an iteration that failed
            scope = scope.new_child(given)
        asked = [
            Use(here, at, name, scope.get(name, ()), kind, is_needed=True)
            for name, kind in self._types.takes(node).items()
        ]
        if isinstance(node, MapNode):
            reduced, given = self._reduced(node, here, at, given)
            found += reduced
        return asked + found, given

    def _branches(
        self,
        node: CompositeNode,
        here: str,
        at: tuple[str, ...],
        scope: _Visible,
    ) -> tuple[list[Use], _Scope]:
        """Walk through the branches; what only some of them set may be from before."""
        found: list[Use] = []
        given: _Scope = {}
        brings = self._brought(node, here, scope)
        for name, graph in node.branches.items():
            # Parameters that are named after each item contain its name here.
            place = join(here, ", ".join(f"{{{it}}}" for it in brings) or name)
            within = scope.new_child(brings)
            inner, sets = self.through(graph, place, (*at, name), within)
            found += [use._replace(known=use.known.union(brings)) for use in inner]
            for key, sources in sets.items():
                given[key] = _either(given.get(key, ()), sources)
        if isinstance(node, ConditionalNode):
            given = _merged(given, scope)
        return found, given

    def _brought(
        self,
        node: CompositeNode,
        here: str,
        scope: _Visible,
    ) -> _Scope:
        brought: _Scope = {}
        for name, kind in self._types.gives(node).items():
            brought[name] = (Source(here, kind),)
            if isinstance(node, MapNode):
                lists = scope.get(node.iterate_on, ())
                items = [it._replace(kind=self._types.item(it.kind)) for it in lists]
                brought[name] = tuple(items) or brought[name]
        return brought

    def _reduced(
        self, node: MapNode, here: str, at: tuple[str, ...], given: _Scope
    ) -> tuple[list[Use], _Scope]:
        found: list[Use] = []
        made: _Scope = {}
        for name, sources in given.items():
            each = [(it, self._types.collected(node, it.kind)) for it in sources]
            for source, (kind, wanted, _) in each:
                of_reducer = (source._replace(kind=kind),)
                found.append(Use(here, at, name, of_reducer, wanted))
            made[name] = tuple(Source(here, it.result) for _, it in each)
        return found, made


def _arrive(
    scopes: dict[str, _Scope], name: str, scope: _Scope, outside: _Visible
) -> None:
    """Carry what a path has set to a node, where another one may have come before."""
    before = scopes.get(name)
    if before is None:
        scopes[name] = scope
        return
    for key in before.keys() | scope.keys():
        found = before.get(key) or outside.get(key, ())
        before[key] = _either(found, scope.get(key) or outside.get(key, ()))


def _merged(given: _Scope, before: Mapping[str, tuple[Source, ...]]) -> _Scope:
    return {name: _either(it, before.get(name, ())) for name, it in given.items()}


def _either(some: tuple[Source, ...], others: tuple[Source, ...]) -> tuple[Source, ...]:
    """Return the sources of both, each once."""
    return some + tuple(it for it in others if it not in some)
