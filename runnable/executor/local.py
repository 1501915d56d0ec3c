"""Run every step in this process."""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar, Self

from pydantic import BaseModel, Field, model_validator

from runnable.executor.base import BaseJobExecutor, BasePipelineExecutor
from runnable.executor.execution import Console, ExecutionOptions
from runnable.graph import Graph, Overlap, Parallelism, TaskNode, Workspace
from runnable.journal import AnyParameter
from runnable.tasks import PythonTaskType


class LocalOptions(BaseModel):
    """The settings of executors that run tasks on this machine."""

    console: Console = "plain"
    """How the output of tasks is shown: `plain`, in lines that start with the path of
    the step (`named`), or not at all (`none`). Execution logs have it in any case."""
    workspace: Workspace = "shared"
    """Where tasks work, unless they choose: in the caller's working directory
    (`shared`), in a folder of the run that `runnable.workdir()` returns (`run`), or
    each in a process and a directory of its own (`isolated`)."""

    @property
    def options(self) -> ExecutionOptions:
        """Run steps in this process, or in worker processes, as configured."""
        return ExecutionOptions(console=self.console, workspace=self.workspace)


class LocalExecutor(LocalOptions, BasePipelineExecutor):
    """Runs every step in this process.

    Example:
        >>> LocalExecutor(object_serialisation=False).service_name
        'local'
    """

    stateless: ClassVar[bool] = True
    service_name: str = "local"
    parallelism: Parallelism | None = None
    """How branches overlap: in a `thread` each (asyncio tasks in an asynchronous run),
    in a `process` each, or not at all (`none`); `thread` if None."""
    max_workers: int | None = Field(default=None, ge=1)
    """How many branches of a step are active at most; 32, or with processes as many
    as the machine has processors."""
    enable_parallel: bool | None = None
    """As in version 0.50: true is `parallelism: process`, false is `none`."""
    object_serialisation: bool = True
    """Whether returned objects are stored; if not, they stay in the run's memory."""

    @property
    def options(self) -> ExecutionOptions:
        """Run steps in this process, or in worker processes, as configured."""
        return ExecutionOptions(
            self._overlap, self.console, self.workspace, self.object_serialisation
        )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        overlaps = self.parallelism != "none"
        if self.parallelism and self.enable_parallel not in {None, overlaps}:
            raise ValueError(
                f"enable_parallel={self.enable_parallel} and "
                f"parallelism={self.parallelism!r} contradict each other; give one"
            )
        return self

    @property
    def _overlap(self) -> Overlap:
        old: dict[bool | None, Parallelism] = {True: "process", False: "none"}
        parallelism = self.parallelism or old.get(self.enable_parallel, "thread")
        return Overlap(parallelism, self.max_workers)


class LocalJobExecutor(LocalOptions, BaseJobExecutor):
    """Runs the task of a job in this process.

    Example:
        >>> from runnable import PythonJob
        >>> job = PythonJob(function=lambda: 1 / 0, returns=["x"])
        >>> executor = {"type": "local", "config": {"mock": True}}
        >>> services = {"job_executor": executor, "run_log_store": {"type": "memory"}}
        >>> job.execute(services=services).status
        'SUCCESS'
    """

    stateless: ClassVar[bool] = True
    service_name: str = "local"
    mock: bool = False
    """Whether nothing is run: the job succeeds, and returns and keeps nothing."""

    def adapt(self, graph: Graph, parameters: Mapping[str, AnyParameter]) -> Graph:
        """Return a job that does nothing, if it is to be mocked."""
        del parameters
        if not self.mock:
            return graph
        nodes = {
            name: replace(node, task=PythonTaskType(function=_nothing), catalog=None)
            for name, node in graph.nodes.items()
            if isinstance(node, TaskNode)
        }
        return replace(graph, nodes=nodes)


def _nothing() -> None:
    """Stand in for the function of a job that is mocked."""
