"""Run every step in this process."""

from collections.abc import Mapping
from typing import ClassVar, Self

from pydantic import BaseModel, Field, model_validator

from runnable.ambient import Console
from runnable.datastore import AnyParameter, RunLog
from runnable.engine import Conditions, Runtime
from runnable.executor.base import BasePipelineExecutor
from runnable.executor.here import run_here
from runnable.graph import Graph, Overlap, Parallelism, Workspace


class RunsHere(BaseModel):
    """The settings of executors that run tasks on this machine."""

    console: Console = "plain"
    """How the output of tasks is shown: `plain`, in lines that begin with the path of
    the step (`named`), or not at all (`none`). Their execution logs have it anyway."""
    workspace: Workspace = "shared"
    """Where tasks work, unless they say otherwise: in the caller's working directory
    (`shared`), or each in a process and a directory of its own (`isolated`)."""

    @property
    def conditions(self) -> Conditions:
        """How what runs in this process is to go on, as configured."""
        return Conditions(console=self.console, workspace=self.workspace)


class LocalExecutor(RunsHere, BasePipelineExecutor):
    """Runs every step in this process.

    Example:
        >>> LocalExecutor(object_serialisation=False).service_name
        'local'
    """

    stateless: ClassVar[bool] = True
    service_name: str = "local"
    parallelism: Parallelism | None = None
    """How branches overlap: in a `thread` each (asyncio tasks in an asynchronous run),
    in a `process` each, or not at all (`none`); `thread` if nothing is said."""
    max_workers: int | None = Field(default=None, ge=1)
    """How many branches of a step are in flight at most; 32, or with processes as many
    as the machine has processors."""
    enable_parallel: bool | None = None
    """As in version 0.50: true is `parallelism: process`, false is `none`."""
    object_serialisation: bool = True
    """Whether returned objects are stored; if not, they stay in the run's memory."""

    async def execute_graph(
        self,
        graph: Graph,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
    ) -> RunLog:
        """Run a pipeline here."""
        return await run_here(
            graph,
            parameters,
            runtime,
            store_objects=self.object_serialisation,
            conditions=self.conditions,
        )

    @property
    def conditions(self) -> Conditions:
        """How a run is to go on, as configured."""
        return Conditions(self._overlap, self.console, self.workspace)

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
