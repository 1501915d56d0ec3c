"""The messages between a run and its worker processes."""

from collections.abc import Mapping
from typing import NamedTuple

from runnable.context import RunContext
from runnable.datastore import AnyParameter, Record
from runnable.engine.parameter_scope import Failure, ParameterScope
from runnable.events import Event
from runnable.executor import ExecutionOptions
from runnable.graph import Graph, TaskNode
from runnable.journal import RunState


class Common(NamedTuple):
    """To a worker, once for all packets of one step."""

    outer: ParameterScope | None
    """The scope around those of the packets."""
    context: RunContext
    """Describes the run; has its services."""
    container: type[object] | None
    """The class of the container that answers the run's markers, unless the default."""
    options: ExecutionOptions
    has_limit: bool
    """True if the run holds one slot of its step limit for this work."""


class Assignment(NamedTuple):
    """To a worker: run this, and send everything that happens."""

    work: Graph | TaskNode
    """The graph of a branch, or a step."""
    scope: ParameterScope
    """Without the scope around it, which is in common."""
    objects: Mapping[str, object]
    """Objects by key, in a run that keeps them in memory."""
    state: RunState
    """The records of the branch, or of the step."""
    secrets: frozenset[str]
    """Values that are masked already."""
    folder: str = ""
    """The working directory, if it is not that of the worker."""


class Beginning(NamedTuple):
    """To a worker, first of all: what this process has, and its fork server may not."""

    import_path: list[str]
    environment: Mapping[str, str]
    folder: str
    """The working directory; empty if it is gone."""


class Packet(NamedTuple):
    """To a worker: an assignment, pickled."""

    common: bytes | None
    """The shared part of the job, unless the worker has it already."""
    assignment: bytes


class Written(NamedTuple):
    """From a worker: write this record, and answer when it is written."""

    record: Record


class Emitted(NamedTuple):
    """From a worker: notify subscribers of this event."""

    event: Event


class Learned(NamedTuple):
    """From a worker: mask these values from now on, and answer."""

    secrets: frozenset[str]


class Output(NamedTuple):
    """From a worker: this was written to a standard stream."""

    stream: str
    """`stdout` or `stderr`."""
    text: str


class Refused(NamedTuple):
    """From a worker: it cannot run the assignment."""

    reason: str


class Done(NamedTuple):
    """From a worker: the assignment has ended."""

    succeeded: bool
    parameters: dict[str, AnyParameter]
    """Parameters that were set in its scope."""
    failure: Failure | None
    objects: Mapping[str, object]
    """Objects that were made, in a run that keeps them in memory."""
    raised: BaseException | None = None
    """What interrupts the run itself, such as a KeyboardInterrupt of a task."""


Message = Written | Emitted | Learned | Output | Refused | Done
"""A message from a worker. After the first three it waits for an answer: the secrets
that it does not know yet, which other steps of the run have read."""
