"""Run every step in this process."""

from typing import ClassVar, Self

from pydantic import BaseModel, Field, model_validator

from runnable.executor.base import BaseJobExecutor, BasePipelineExecutor
from runnable.executor.execution import Console, ExecutionOptions
from runnable.graph import Overlap, Parallelism, Workspace


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
    """Runs the task of a job in this process."""

    stateless: ClassVar[bool] = True
    service_name: str = "local"
