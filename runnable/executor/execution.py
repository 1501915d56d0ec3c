"""Execution options: how steps are launched, as data that the engine acts on."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

from runnable.executor.cluster import Cluster
from runnable.graph import Graph, Overlap, Workspace
from runnable.journal import AnyParameter

Console = Literal["plain", "named", "none"]
"""How the output of tasks is passed on while they run: unchanged (but for secrets), in
whole lines that start with the path of the step, or not at all."""


class PipelineReference(NamedTuple):
    """Location of the definition of a pipeline or a job, for another process."""

    mode: Literal["yaml", "python"]
    definition: str
    """A file, a module, or a function of one, after a colon."""
    arguments: Sequence[str] = ()
    """Arguments of the script."""
    import_path: Sequence[str] = ()
    """Folders of this machine in which its modules are, beside the usual ones."""


class StepRequest(NamedTuple):
    """A request to run one step of a run in another process."""

    run_id: str
    reference: PipelineReference
    path: str
    """Of the step; empty for a job."""
    job: str = ""
    """The digest of the job; empty for a step of a pipeline."""
    configuration_file: str = ""
    parameters_file: str = ""
    label_options: Sequence[str] = ()
    """The options of the command line that tag the run, and its notes."""
    log_level: str = ""
    override: str = ""
    """The block of `overrides` that the step has chosen."""
    secrets: Mapping[str, str] = MappingProxyType({})
    """The secrets that the step declares; never shown, and in no argument."""
    variables: Mapping[str, str] = MappingProxyType({})
    """Variables by which a job gets its parameters; a step has them in its run."""


class StepReport(NamedTuple):
    """The end of a launched step, as far as its launcher can tell."""

    succeeded: bool
    reason: str
    """How its process has ended."""
    said: str = ""
    """The end of its output, if it was read."""
    instead: str = ""
    """The action instead of running it, such as scheduling it."""
    has_other_stores: bool = False
    """Whether its stores may be where this process does not see them."""


class LaunchedStep(Protocol):
    """A step that is being run somewhere else."""

    def wait(self) -> StepReport:
        """Wait until it has ended; called once, in a thread that may wait."""
        ...

    def stop(self) -> object:
        """Ask it to end; called from any thread, any number of times."""
        ...


class StepLauncher(Protocol):
    """Starts steps somewhere else, where they join the run and record what they do."""

    def launch(self, request: StepRequest) -> LaunchedStep:
        """Prepare a step; it starts when it is waited for.

        Args:
            request: The step.
        """
        ...

    def close(self) -> None:
        """Disconnect, at the end of the run; calling it again does nothing."""
        ...


class RenderRequest(NamedTuple):
    """A request to describe a run to a workflow engine, instead of running it."""

    graph: Graph
    reference: PipelineReference
    parameters: Mapping[str, AnyParameter]
    """Those that the run starts with."""
    resumed: str = ""
    """The id of the run that is to be resumed; empty for new runs."""
    configuration_file: str = ""
    label_options: Sequence[str] = ()
    """The options of the command line that tag the run, and its notes."""


class Renderer(Protocol):
    """Describes runs to a workflow engine."""

    @property
    def output_file(self) -> str:
        """The file that is written, relative to the working directory."""
        ...

    def render(self, request: RenderRequest) -> str:
        """Return the text of a manifest.

        Args:
            request: The run.

        Raises:
            ConfigurationError: If the engine cannot run it.
        """
        ...


class ExecutionOptions(NamedTuple):
    """Options by which an executor chooses how steps are run."""

    overlap: Overlap = Overlap("thread")
    """How branches overlap, unless their step chooses."""
    console: Console = "plain"
    """How the output of tasks is passed on."""
    workspace: Workspace = "shared"
    """Where tasks work, unless they choose."""
    store_objects: bool = True
    """Whether returned objects are stored; if not, they stay in the run's memory."""
    launcher: StepLauncher | None = None
    """Starts tasks and stubs somewhere else; this process runs them if None."""
    cluster: Cluster | None = None
    """Runs tasks, and branches in chunks, in processes that it manages."""
    renderer: Renderer | None = None
    """Describes the run to a workflow engine; nothing is run then."""

    @property
    def shares_journal(self) -> bool:
        """Whether other processes write to the journal of the run."""
        return self.launcher is not None or self.cluster is not None


DEFAULT_OPTIONS = ExecutionOptions()
