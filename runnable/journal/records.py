"""The records of a journal: what happened in a run, one fact each.

Nothing else is stored while a run is active; the state of the run and its run log are
computed from its records (`state.RunState`). A record is frozen.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeGuard

from pydantic import JsonValue

from runnable.journal.identities import CodeIdentity, DataCatalog
from runnable.journal.parameters import AnyParameter

NO_METRICS: Mapping[str, JsonValue] = {}
NO_TAGS: Mapping[str, str] = {}
NO_TEXTS: Mapping[str, JsonValue] = {}  # not a proxy, which has no pickle


class RunStarted(NamedTuple):
    """A run has started; always the first record."""

    at: str
    """Local time, as in the run log."""
    run_id: str
    tag: str
    dag_hash: str
    parameters: Mapping[str, AnyParameter]
    """The parameters that the run starts with."""
    run_config: Mapping[str, JsonValue]
    code: Sequence[CodeIdentity]
    host: str = ""
    process_id: int = 0
    process_began: str = ""
    """Distinguishes the process from another one of the same id; empty if unknown."""
    epoch_seconds: float = 0.0
    """POSIX timestamp, independent of the time zone."""
    launches_steps: bool = False
    """True if other processes run the steps, and join the run for it."""
    masked: tuple[str, ...] = ()
    """Names of parameters that contained secrets; their values are not recorded."""
    tags: Mapping[str, str] = NO_TAGS
    notes: Mapping[str, str] = NO_TAGS

    @property
    def pipeline(self) -> str:
        """The name of the pipeline; empty if it has none."""
        graph = self.run_config.get("dag")
        name = graph.get("name") if isinstance(graph, Mapping) else ""
        return str(name or "")


class RunResumed(NamedTuple):
    """A stopped run continues, possibly in another process.

    Steps that failed or were cut off are tried again from here on.
    """

    at: str
    code: Sequence[CodeIdentity]
    host: str = ""
    process_id: int = 0
    process_began: str = ""
    epoch_seconds: float = 0.0
    message: str = ""
    """Differences from the start: code or parameters."""
    launches_steps: bool = False


class Heartbeat(NamedTuple):
    """The process that runs the run, or a step of it, is still alive."""

    at: str
    epoch_seconds: float


class StepClaimed(NamedTuple):
    """A process has joined the run to run one of its steps.

    If that step failed before, it is tried again.
    """

    at: str
    path: str
    host: str
    process_id: int
    process_began: str
    epoch_seconds: float


class StepReleased(NamedTuple):
    """A process that had joined the run for a step has left it."""

    at: str
    path: str
    host: str
    process_id: int
    process_began: str


class RunDeleting(NamedTuple):
    """A process has started to delete the run; no process writes to it any more."""

    at: str
    host: str
    process_id: int
    process_began: str
    epoch_seconds: float


class StepStarted(NamedTuple):
    """An attempt of a step has started."""

    at: str
    path: str
    name: str
    step_type: str
    attempt: int = 1
    """0 for a step with branches, whose steps have attempts."""


class StepFinished(NamedTuple):
    """An attempt of a step has ended."""

    at: str
    path: str
    status: str
    outputs: Mapping[str, AnyParameter]
    """Parameters for the scope of the step: declared returns, or the merged results of
    branches."""
    files: Sequence[DataCatalog]
    attempt: int = 1
    message: str = ""
    traceback: str = ""
    read: tuple[str, ...] = ()
    """Names of the parameters that it was given, those of outer branches included."""
    masked: tuple[str, ...] = ()
    """Names of outputs that contained secrets; their values are not recorded."""
    cached_from: str = ""
    """Run and path of the step whose result was reused; empty if it ran."""
    secrets: tuple[str, ...] = ()
    """Names of secrets that were read for the first time in this run."""


class BranchStarted(NamedTuple):
    """A branch of a step has started."""

    at: str
    path: str
    variables: Mapping[str, JsonValue]
    """Values that the step passes to it: the item of a map, the number of an
    iteration."""
    texts: Mapping[str, JsonValue] = NO_TEXTS
    """Those that were written as text, as they were written."""


class BranchFinished(NamedTuple):
    """A branch of a step has ended."""

    at: str
    path: str
    status: str


class RunFinished(NamedTuple):
    """A run has ended; nothing follows, unless it is resumed or deleted."""

    at: str
    status: str
    metrics: Mapping[str, JsonValue] = NO_METRICS
    """The latest of each name, so that a list of runs has them: short ones only."""
    started_at: str = ""
    """As the first record has it, so that a list of runs needs this record alone; empty
    in records of earlier versions, and then the next two are empty, too."""
    tag: str = ""
    pipeline: str = ""
    """The name of the pipeline, if it has one."""
    tags: Mapping[str, str] = NO_TAGS


Record = (
    RunStarted
    | RunResumed
    | RunDeleting
    | Heartbeat
    | StepClaimed
    | StepReleased
    | StepStarted
    | StepFinished
    | BranchStarted
    | BranchFinished
    | RunFinished
)


def sums_up(record: Record | None) -> TypeGuard[RunFinished]:
    """Return True if a list of runs needs no other record of its run."""
    return isinstance(record, RunFinished) and bool(record.started_at)
