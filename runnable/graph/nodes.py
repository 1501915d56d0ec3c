"""The nodes of a graph: plain, frozen descriptions."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, ClassVar, Literal, NamedTuple, Protocol

from pydantic import Field, JsonValue

from runnable.graph.errors import NodeNotFoundError
from runnable.graph.limits import most
from runnable.graph.shared_json import SharedJson

SUCCESS_NODE = "success"
FAIL_NODE = "fail"
TERMINAL_NAMES = (SUCCESS_NODE, FAIL_NODE)
"""Every graph has these two nodes, under these names."""


Workspace = Literal["shared", "run", "isolated"]
"""Where a task works with files: in the working directory, in a folder of its run, or
in a process and a directory of its own."""


class AnyTask(Protocol):
    """The task of a node; the graph only describes it."""

    def describe(self) -> dict[str, JsonValue]:
        """Return the type, the command and the settings of the task."""
        ...

    def provides(self) -> Sequence[str]:
        """Return the names of the parameters that it returns."""
        ...

    def names_taken(self) -> AbstractSet[str] | None:
        """Return the names of the parameters that it may use; None if any."""
        ...

    @property
    def hint(self) -> str:
        """Advice for a task that does not need a parameter that it seems to need."""
        ...

    def required(self) -> Sequence[str]:
        """Return the names of the parameters that it cannot do without."""
        ...


class CatalogSettings(NamedTuple):
    """Which files a step fetches before it runs, and keeps afterwards."""

    get: tuple[str, ...] = ()
    """Glob patterns, relative to the catalog of the run."""
    put: tuple[str, ...] = ()
    """Glob patterns, relative to the compute folder."""
    store_copy: bool = True
    """Whether the files are copied, or only recorded."""

    def describe(self) -> dict[str, JsonValue]:
        """Return the settings as the run log has them."""
        return {
            "get": list(self.get),
            "put": list(self.put),
            "store_copy": self.store_copy,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Node:
    """One node of a graph."""

    node_type: ClassVar[str]

    name: str
    """Unique within its graph."""

    def file_patterns(self) -> Iterator[tuple[str, Workspace | None]]:
        """Yield the patterns of files that it gets and puts, and where it works."""
        yield from ()

    def limits(self) -> Mapping[str, int]:
        """Return how many slots of limits it takes, at most, by name."""
        return {}

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of the node."""
        return {"node_type": self.node_type, "name": self.name}


class SuccessNode(Node):
    """Ends its graph well."""

    __slots__ = ()
    node_type: ClassVar[str] = "success"


class FailNode(Node):
    """Ends its graph in failure."""

    __slots__ = ()
    node_type: ClassVar[str] = "fail"


NO_FILES = CatalogSettings()


class Backoff(NamedTuple):
    """How long to wait before a step is tried again, in seconds.

    Example:
        >>> from runnable import PythonTask
        >>> often = Backoff(initial=0.5, factor=2, maximum=60, jitter=0.1)
        >>> PythonTask(function=print, retries=5, retry_delay=often).retries
        5
    """

    initial: Annotated[float, Field(ge=0)] = 0.0
    """Before the second try."""
    factor: Annotated[float, Field(ge=1)] = 1.0
    """How much longer each time."""
    maximum: Annotated[float, Field(ge=0)] = 3600.0
    """Never longer than this, before jitter."""
    jitter: Annotated[float, Field(ge=0)] = 0.0
    """At most this much more, at random, so that not all try at the same moment."""


Interrupt = Literal["raise", "abandon"]
"""How a function in a thread is interrupted when its time is over or its
run is cancelled: an exception is raised in it, or it is left to end by itself."""


Caching = bool | Callable[..., object]
"""Whether a step reuses what it returned before; a function makes the key."""


class Policy(NamedTuple):
    """How a step is tried: how often, for how long, and where."""

    max_attempts: int = 1
    delay: Backoff = Backoff()
    timeout_seconds: float | None = None
    """For each try; none if None."""
    workspace: Workspace | None = None
    """The executor's choice if None."""
    cache: Caching = False
    interrupt: Interrupt | None = None
    """The container's choice if None."""
    limits: tuple[tuple[str, int], ...] = ()
    """The limits that it counts towards, and how many slots of each it takes."""

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log has: the number, and the rest if it is set."""
        described: dict[str, JsonValue] = {"max_attempts": self.max_attempts}
        if self.delay != Backoff():
            described["retry_delay"] = {**self.delay._asdict()}
        if self.timeout_seconds is not None:
            described["timeout_seconds"] = self.timeout_seconds
        if self.workspace is not None:
            described["workspace"] = self.workspace
        if self.cache:
            described["cache"] = True
        if self.interrupt is not None:
            described["interrupt"] = self.interrupt
        if self.limits:
            described["limits"] = {**dict(self.limits)}
        return described


ONE_ATTEMPT = Policy()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class StepNode(Node):
    """A node that something follows."""

    next_node: str
    """The next node after success."""
    on_failure: str = ""
    """The next node after a failure; the graph's fail node if empty."""
    overrides: Mapping[str, str] = field(default_factory=dict[str, str])
    """Executor's name to the name of a block of its configuration."""

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of the node."""
        return {
            # Not super(): slots make a new class, which its zero-argument form misses.
            **Node.describe(self),
            "next_node": self.next_node,
            "on_failure": self.on_failure,
            "overrides": dict(self.overrides),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExecutableNode(StepNode):
    """A node that is tried, and has no branches."""

    catalog: CatalogSettings | None = None
    policy: Policy = ONE_ATTEMPT

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of the node."""
        return {
            **StepNode.describe(self),
            "catalog": self.catalog.describe() if self.catalog else None,
            **self.policy.describe(),
        }

    def limits(self) -> Mapping[str, int]:
        """Return how many slots of limits it takes, by name."""
        return dict(self.policy.limits)

    def file_patterns(self) -> Iterator[tuple[str, Workspace | None]]:
        """Yield what it gets and puts."""
        for pattern in self.catalog.get + self.catalog.put if self.catalog else ():
            yield pattern, self.policy.workspace


class StubNode(ExecutableNode):
    """Stands in for a task: does nothing, and succeeds."""

    __slots__ = ()
    node_type: ClassVar[str] = "stub"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TaskNode(ExecutableNode):
    """Runs one task."""

    node_type: ClassVar[str] = "task"

    task: AnyTask

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of the node."""
        return {**ExecutableNode.describe(self), **self.task.describe()}


class JobNode(TaskNode):
    """The one task of a job, which no other step follows."""

    __slots__ = ()
    node_type: ClassVar[str] = "job"


@dataclass(frozen=True, eq=False)
class Graph:
    """A directed graph of steps; a value that any number of runs share."""

    start_at: str
    nodes: Mapping[str, Node]
    """By name, in the order of their definition."""
    name: str = ""
    description: str = ""
    check_types: bool = True
    """Whether its author wants the types of parameters to be checked."""

    def node(self, name: str) -> Node:
        """Return a node.

        Args:
            name: Its name.

        Raises:
            NodeNotFoundError: If there is none of this name.
        """
        try:
            return self.nodes[name]
        except KeyError:
            raise NodeNotFoundError(name, list(self.nodes)) from None

    @property
    def step_names(self) -> frozenset[str]:
        """The names of its steps: of its nodes but the ends."""
        return frozenset(self.nodes).difference(TERMINAL_NAMES)

    @cached_property
    def described(self) -> SharedJson:
        """The graph as the run log records it."""
        return SharedJson({
            "start_at": self.start_at,
            "name": self.name,
            "description": self.description,
            "nodes": {name: node.describe() for name, node in self.nodes.items()},
        })

    @cached_property
    def file_patterns(self) -> tuple[tuple[str, Workspace | None], ...]:
        """The patterns that steps get and put, at any depth, with their workspaces."""
        return tuple(it for node in self.nodes.values() for it in node.file_patterns())

    @cached_property
    def limits(self) -> Mapping[str, int]:
        """How many slots of limits one of its steps takes, at most, by name."""
        return most(node.limits() for node in self.nodes.values())

    @cached_property
    def hash(self) -> str:
        """SHA-1 over the canonical JSON of `described`, 40 hexadecimal digits."""
        text = json.dumps(self.described, sort_keys=True)
        return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
