"""What a run does: the graph of a pipeline, or the one task of a job."""

import abc
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar, cast

from runnable.context import JobContext, PipelineContext, RunContext
from runnable.datastore import AnyParameter, RunLog
from runnable.engine import Runtime
from runnable.executor import BaseJobExecutor, BasePipelineExecutor, job_digest
from runnable.graph import CatalogSettings, Graph, Need, Policy
from runnable.service import Service
from runnable.tasks import BaseTaskType


class Work(abc.ABC):
    """What a run does, as far as starting it needs to know."""

    executor_kind: ClassVar[str]
    executor_port: ClassVar[type[Service]]
    context_type: ClassVar[type[RunContext]]
    can_resume: ClassVar[bool] = False

    @property
    def origin(self) -> Mapping[str, str]:
        """What the context says of where it is from."""
        return {}

    @abc.abstractmethod
    def needs(self) -> Sequence[Need]:
        """Return the parameters that the run has to start with."""

    def check(self, executor: object) -> None:
        """Refuse what an executor cannot run, before it is run."""
        del executor

    @abc.abstractmethod
    def start(
        self,
        executor: object,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
    ) -> Coroutine[Any, Any, RunLog]:
        """Have an executor do it."""


class PipelineWork(Work):
    """Run the graph of a pipeline."""

    executor_kind = "pipeline_executor"
    executor_port = BasePipelineExecutor
    context_type = PipelineContext
    can_resume = True

    def __init__(self, graph: Graph, unprovided: Sequence[Need], file: str) -> None:
        self.graph = graph
        self._unprovided = unprovided
        self.file = file

    def check(self, executor: object) -> None:
        """Refuse what an executor cannot run, before it is run."""
        cast("BasePipelineExecutor", executor).check(self.graph)

    @property
    def origin(self) -> Mapping[str, str]:
        """What the context says of where the pipeline is from."""
        if not self.file:
            return {}
        return {"execution_mode": "yaml", "pipeline_definition_file": self.file}

    def needs(self) -> Sequence[Need]:
        """Return the parameters that no step provides."""
        return self._unprovided

    def start(
        self,
        executor: object,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
    ) -> Coroutine[Any, Any, RunLog]:
        """Have a pipeline executor run the graph."""
        runs = cast("BasePipelineExecutor", executor)
        return runs.execute_graph(self.graph, parameters, runtime)


class JobWork(Work):
    """Run the one task of a job."""

    executor_kind = "job_executor"
    executor_port = BaseJobExecutor
    context_type = JobContext

    def __init__(
        self, task: BaseTaskType, catalog: CatalogSettings, policy: Policy
    ) -> None:
        self.task = task
        self.catalog = catalog
        self.policy = policy

    @property
    def digest(self) -> str:
        """What tells the job from others of the same program."""
        return job_digest(self.task, self.catalog)

    def needs(self) -> Sequence[Need]:
        """Return the parameters that the task cannot do without."""
        return [Need("", name, self.task.command) for name in self.task.required()]

    def start(
        self,
        executor: object,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
    ) -> Coroutine[Any, Any, RunLog]:
        """Have a job executor run the task."""
        runs = cast("BaseJobExecutor", executor)
        return runs.submit_job(
            self.task, self.catalog, parameters, runtime, self.policy
        )


class JobHere(JobWork):
    """Run the one task of a job in this process, which an executor has started.

    Args:
        job: The job.
    """

    def __init__(self, job: JobWork) -> None:
        super().__init__(job.task, job.catalog, job.policy)

    def start(
        self,
        executor: object,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
    ) -> Coroutine[Any, Any, RunLog]:
        """Have a job executor run the task here."""
        runs = cast("BaseJobExecutor", executor)
        return runs.execute_job(
            self.task, self.catalog, parameters, runtime, self.policy
        )
