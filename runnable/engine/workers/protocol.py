"""The messages between a run and its worker processes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runnable.context import RunContext
from runnable.datastore import AnyParameter, Record, StepStarted
from runnable.engine.parameter_scope import Failure, ParameterScope
from runnable.events import Event
from runnable.executor import ExecutionOptions
from runnable.graph import Graph, TaskNode
from runnable.journal import RunState

REMOTE_CHUNK = "runnable.engine.remote_chunk:run_remote_chunk"
LOOK_AROUND = "runnable.engine.remote_chunk:look_around"
_ENDS = {"success", "fail"}


class Common(NamedTuple):
    """To a worker, once for all packets of one step."""

    outer: ParameterScope | None
    """The scope around those of the packets."""
    context: RunContext
    """Describes the run; has its services."""
    container: type[object] | None
    """The class of the container that answers the run's markers, unless the default."""
    options: ExecutionOptions


class Assignment(NamedTuple):
    """A branch or a step that another process is to run."""

    work: Graph | TaskNode
    """The graph of a branch, or a step."""
    scope: ParameterScope
    """Without the scope around it, which is in common."""


class Chunk(NamedTuple):
    """To a worker: run these one after the other, and send everything that happens."""

    assignments: Sequence[Assignment]
    objects: Mapping[str, object]
    """Objects by key, in a run that keeps them in memory."""
    state: RunState
    """The records of the step that the branches belong to, or of the step."""
    secrets: frozenset[str]
    """Values that are masked already."""
    folder: str = ""
    """The working directory, if it is not that of the worker."""
    slots: Mapping[str, int] = {}
    """The slots that the run holds for it, by the names of limits."""


class Beginning(NamedTuple):
    """To a worker, first of all: what this process has, and its fork server may not."""

    import_path: list[str]
    environment: Mapping[str, str]
    folder: str
    """The working directory; empty if it is gone."""


class Packet(NamedTuple):
    """To a worker: a chunk, pickled."""

    common: bytes | None
    """The shared part of the job, unless the worker has it already."""
    chunk: bytes


class Written(NamedTuple):
    """From a worker: write these records; answer if they are awaited."""

    records: tuple[Record, ...]

    @property
    def is_awaited(self) -> bool:
        """Whether they must be written before the worker continues.

        Nothing of the user runs before the start of its step is recorded, and all that
        was sent before.
        """
        last = self.records[-1]
        return isinstance(last, StepStarted) and last.step_type not in _ENDS


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
    """From a worker: it cannot run the chunk, and has run nothing of it."""

    reason: str


class Done(NamedTuple):
    """From a worker: the next assignment of the chunk has ended."""

    succeeded: bool
    parameters: dict[str, AnyParameter]
    """Parameters that were set in its scope."""
    failure: Failure | None
    objects: Mapping[str, object]
    """Objects that were made, in a run that keeps them in memory."""
    raised: BaseException | None = None
    """An exception that interrupts the run itself, such as a KeyboardInterrupt."""


Message = Written | Emitted | Learned | Output | Refused | Done
"""A message from a worker. After `Emitted`, `Learned` and awaited records, it waits
for an answer: the secrets that it does not know yet, which other steps have read."""


class Order(NamedTuple):
    """To a worker: run this chunk. Pickled in two layers: the version comes first."""

    common: bytes
    chunk: bytes
    secrets: dict[str, str]
    """The secrets that tasks of the chunk declare, by name."""


class Outcome(NamedTuple):
    """From a worker: how a chunk went."""

    done: Sequence[bytes]
    """A pickled `Done` for each assignment that has ended."""
    output: Sequence[tuple[str, str]]
    """Output: the stream, and the text."""
    events: Sequence[Event]
    """Those that no record tells of."""
    secrets: frozenset[str]
    """Values to be masked that it has learned."""
    problem: str = ""
    """Why it has run nothing, or not all of it."""
    interrupted: bool = False


class Facts(NamedTuple):
    """From a worker: what can be done there."""

    version: str
    python: str
    missing: Sequence[str]
    """Modules that cannot be imported, and why."""
    unseen: Sequence[str]
    """Files of the services that are not there."""


class Question(NamedTuple):
    """To a worker: what can be done there?"""

    modules: Sequence[str]
    files: Sequence[str]
