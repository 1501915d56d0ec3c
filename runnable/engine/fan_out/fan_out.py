"""Which branches a step has, and what becomes of what they did: pure state machines.

Theory of operation. A `FanOut` is iterated for the branches to run; each is pulled when
there is room for it, so a map of any length has few in flight. How a branch ended is
reported, from any thread, before a branch is pulled that depends on it: only a loop's
do, and it says so by its `limit`. When all are done, `close` says what the step comes
to. Nothing here does I/O, knows a clock or runs anything.
"""

import abc
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple, Protocol, cast

from pydantic import JsonValue

from runnable.defaults import LOOP_PLACEHOLDER, MAP_PLACEHOLDER
from runnable.engine.branch_errors import BranchingError
from runnable.errors import did_you_mean
from runnable.graph import (
    BranchNames,
    CompositeNode,
    ConditionalNode,
    Graph,
    LoopNode,
    MapNode,
    provided,
)
from runnable.journal import AnyParameter
from runnable.parameters.errors import ParameterMissingError, ValueNotStorableError
from runnable.parameters.values import shortened, to_json

Parameters = Mapping[str, AnyParameter]
_NOTHING: Parameters = MappingProxyType({})


class AnyMasker(Protocol):
    """A `runnable.secrets.Masker`, as far as branches need it."""

    def hides(self, text: str) -> bool:
        """Return True if a text contains a secret."""
        ...

    def value(self, value: object) -> object:
        """Return a value without secrets."""
        ...


class Lookup(Protocol):
    """A scope, as far as a step with branches needs it."""

    def find(self, name: str) -> AnyParameter | None:
        """Return the parameter of a name, if there is one."""
        ...

    def visible(self) -> Parameters:
        """Return everything that can be found."""
        ...


class Branch(NamedTuple):
    """A command: run this graph in a scope of its own."""

    name: str
    """Unique among the branches of the step, and one part of a path."""
    graph: Graph
    variables: Mapping[str, JsonValue] = MappingProxyType({})
    """Variables that the step gives to the branch."""
    environment: Mapping[str, str] = MappingProxyType({})
    """The same for code that reads variables."""
    carried: Parameters = _NOTHING
    """Parameters that the branch starts with, in its own scope."""
    texts: Mapping[str, JsonValue] = MappingProxyType({})
    """Variables that were written as text, as they were written."""


class BranchEnd(NamedTuple):
    """How a branch ended."""

    succeeded: bool
    parameters: Parameters
    """Parameters that the branch set."""


class Gathered(NamedTuple):
    """The outcome of a composite step."""

    outputs: Mapping[str, AnyParameter] = _NOTHING
    """Becomes parameters of the step's scope as it is."""
    collected: Mapping[str, list[AnyParameter]] = MappingProxyType({})
    """Names that are reduced first."""
    conflicts: tuple[str, ...] = ()
    """Sentences about parameters that several branches have set differently."""
    problem: BranchingError | None = None
    """Why the step has failed, although no branch has."""


class FanOut(abc.ABC):
    """The branches of one step, while it runs."""

    limit: int | None = None
    """How many branches may be in flight; any number if None."""

    @property
    @abc.abstractmethod
    def count(self) -> int:
        """How many branches there are at most."""

    @abc.abstractmethod
    def __iter__(self) -> Iterator[Branch]:
        """Yield the branches to run, in order."""

    @abc.abstractmethod
    def report(self, branch: Branch, end: BranchEnd) -> None:
        """Report how a branch ended; may be called from any thread."""

    @abc.abstractmethod
    def close(self, *, succeeded: bool) -> Gathered:
        """Return the outcome of the step, when all branches have ended.

        Args:
            succeeded: Whether all of them did.
        """


class ParallelFanOut(FanOut):
    """All branches; what they set is set, the later branch wins."""

    def __init__(self, branches: Mapping[str, Graph]) -> None:
        names = BranchNames()
        self._branches = [
            Branch(names.name(name), graph) for name, graph in branches.items()
        ]
        self._ends: dict[str, BranchEnd] = {}

    @property
    def count(self) -> int:
        """How many branches there are."""
        return len(self._branches)

    def __iter__(self) -> Iterator[Branch]:
        """Yield the branches in the order of their definition."""
        return iter(self._branches)

    def report(self, branch: Branch, end: BranchEnd) -> None:
        """Keep what the branch has set."""
        self._ends[branch.name] = end

    def close(self, *, succeeded: bool) -> Gathered:
        """Merge; what a failed step's branches have set is dropped."""
        if not succeeded:
            return Gathered()
        outputs: dict[str, AnyParameter] = {}
        setters: dict[str, str] = {}
        conflicts: list[str] = []
        for branch in self._branches:
            for name, parameter in self._ends[branch.name].parameters.items():
                # By their text: NaN is not equal to itself, and yet the same.
                if name in outputs and repr(outputs[name]) != repr(parameter):
                    conflicts.append(
                        f"branches {setters[name]!r} and {branch.name!r} both set "
                        f"parameter {name!r}; the later one, {branch.name!r}, wins"
                    )
                outputs[name], setters[name] = parameter, branch.name
        return Gathered(outputs, conflicts=tuple(conflicts))


class MapFanOut(FanOut):
    """One graph for every item; what the branches return is collected.

    Args:
        node: The step.
        items: One for each branch.
        masker: A branch whose item contains a secret is named by its position.
        texts: The items as they were written, if they come from text.
    """

    def __init__(
        self,
        node: MapNode,
        items: list[JsonValue],
        masker: AnyMasker,
        texts: JsonValue = None,
    ) -> None:
        self._masker = masker
        self._texts = texts if isinstance(texts, list) else []
        self._node = node
        self._graph = node.branches[MAP_PLACEHOLDER]
        self._items = items
        self._names = sorted(provided(self._graph))
        self._collected: dict[str, list[AnyParameter | None]] = {
            name: [None] * len(items) for name in self._names
        }
        self._positions: dict[str, int] = {}

    @property
    def count(self) -> int:
        """How many items there are."""
        return len(self._items)

    def __iter__(self) -> Iterator[Branch]:
        """Yield a branch for each item, in their order."""
        names = BranchNames()
        variable = self._node.iterate_as
        for position, item in enumerate(self._items):
            label = str(item)
            if self._masker.hides(label):
                label = f"item-{position + 1}"
            name = names.name(label)
            self._positions[name] = position
            text = self._texts[position] if position < len(self._texts) else None
            texts = {} if text is None or text == item else {variable: text}
            yield Branch(name, self._graph, {variable: item}, texts=texts)

    def report(self, branch: Branch, end: BranchEnd) -> None:
        """Keep what the branch returned; the rest of its scope is let go."""
        position = self._positions.pop(branch.name)
        for name in self._names:
            self._collected[name][position] = end.parameters.get(name)

    def close(self, *, succeeded: bool) -> Gathered:
        """Hand over what was returned; iterations without a name are skipped."""
        if not succeeded:
            return Gathered()
        return Gathered(
            collected={
                name: [value for value in values if value is not None]
                for name, values in self._collected.items()
            }
        )


class LoopFanOut(FanOut):
    """One graph, repeated until it is done; each iteration continues from the last."""

    limit = 1

    def __init__(self, node: LoopNode, outside: AnyParameter | None) -> None:
        self._node = node
        self._outside = outside
        self._carried: Parameters = _NOTHING
        self._ended = False
        self._problem: BranchingError | None = None

    @property
    def count(self) -> int:
        """How many iterations there are at most."""
        return self._node.max_iterations

    def __iter__(self) -> Iterator[Branch]:
        """Yield iterations, as long as the ones before ask for more."""
        node = self._node
        for number in range(node.max_iterations):
            if self._ended:
                return
            yield Branch(
                str(number),
                node.branches[LOOP_PLACEHOLDER],
                {node.index_as: number},
                {node.index_as: str(number)},
                # The number of an iteration is its own, whatever was set before.
                {k: it for k, it in self._carried.items() if k != node.index_as},
            )

    def report(self, branch: Branch, end: BranchEnd) -> None:
        """Keep what was set, and decide whether this was the last iteration."""
        del branch
        self._carried = end.parameters
        self._ended = not end.succeeded
        done = end.parameters.get(self._node.break_on, self._outside)
        if done is None or self._ended:
            return
        self._ended = done.value is not False
        if not isinstance(done.value, bool):
            why = "it ends the loop when it is True, so it must be True or False"
            self._problem = BranchingError(
                self._node.break_on, shortened(done.value), why
            )

    def close(self, *, succeeded: bool) -> Gathered:
        """Hand over what was set; after a failure, too."""
        del succeeded
        return Gathered(self._carried, problem=self._problem)


def fan_out(node: CompositeNode, scope: Lookup, path: str, masker: AnyMasker) -> FanOut:
    """Return the branches of a step, with the parameters that it finds.

    Args:
        node: The step.
        scope: The scope that the step is in.
        path: The path of the step, for errors.
        masker: A secret becomes no name, and is in no error.

    Returns:
        Its branches.

    Raises:
        ParameterMissingError: If a parameter that it depends on is not there.
        BranchingError: If it is there, and cannot be used.
    """
    match node:
        case MapNode():
            items = _items(node, scope, path, masker)
            found = scope.find(node.iterate_on)
            return MapFanOut(node, items, masker, getattr(found, "text", None))
        case LoopNode():
            return LoopFanOut(node, scope.find(node.break_on))
        case ConditionalNode():
            return ParallelFanOut(_chosen(node, scope, path, masker))
        case _:
            return ParallelFanOut(node.branches)


def _value(name: str, scope: Lookup, path: str) -> object:
    found = scope.find(name)
    if found is None:
        raise ParameterMissingError("", name, sorted(scope.visible()), path)
    return found.get_value()


def _items(
    node: MapNode, scope: Lookup, path: str, masker: AnyMasker
) -> list[JsonValue]:
    value = _value(node.iterate_on, scope, path)
    if not isinstance(value, list | tuple):
        why = "a map needs a list to iterate on"
        shown = shortened(masker.value(value))
        raise BranchingError(node.iterate_on, shown, why)
    items = cast("list[object] | tuple[object, ...]", value)
    try:
        return [to_json(it, f"{node.iterate_on}[{at}]") for at, it in enumerate(items)]
    except ValueNotStorableError as error:
        advice = (
            "The items of a map are JSON: iterate over numbers or names, and look "
            "objects up in the branch."
        )
        raise ValueNotStorableError(
            error.location, error.kind, error.why, advice
        ) from None


def _chosen(
    node: ConditionalNode, scope: Lookup, path: str, masker: AnyMasker
) -> Mapping[str, Graph]:
    value = _value(node.parameter, scope, path)
    name = str(value) if isinstance(value, str | int | float) else None
    if name not in node.branches:
        name = node.default
    if name is None:
        why = "no branch has this name, and there is no default"
        if not isinstance(value, str | int | float):
            why = "only text, numbers and True or False name a branch"
        raise BranchingError(
            node.parameter,
            shortened(masker.value(value)),
            f"{why}. {did_you_mean(str(value), node.branches)}",
        )
    return {name: node.branches[name]}
