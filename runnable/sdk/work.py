"""What a run does: the graph of a pipeline, or the one task of a job."""

import abc
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, ClassVar, cast

from runnable.context import JobContext, PipelineContext, RunContext
from runnable.datastore import AnyParameter, RunLog
from runnable.engine import Runtime
from runnable.executor import BaseJobExecutor, BasePipelineExecutor
from runnable.graph import CatalogSettings, Graph, Need, Policy
from runnable.service import Service
from runnable.tasks import BaseTaskType


class Work(abc.ABC):
    """What a run does, as far as starting it needs to know."""

    executor_kind: ClassVar[str]
    executor_port: ClassVar[type[Service]]
    context_type: ClassVar[type[RunContext]]
    can_resume: ClassVar[bool] = False

    @abc.abstractmethod
    def needs(self) -> Sequence[Need]:
        """Return the parameters that the run has to start with."""

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

    def __init__(self, graph: Graph, unprovided: Sequence[Need]) -> None:
        self._graph = graph
        self._unprovided = unprovided

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
        return runs.execute_graph(self._graph, parameters, runtime)


class JobWork(Work):
    """Run the one task of a job."""

    executor_kind = "job_executor"
    executor_port = BaseJobExecutor
    context_type = JobContext

    def __init__(
        self, task: BaseTaskType, catalog: CatalogSettings, policy: Policy
    ) -> None:
        self._task = task
        self._catalog = catalog
        self._policy = policy

    def needs(self) -> Sequence[Need]:
        """Return the parameters that the task cannot do without."""
        return [Need("", name, self._task.command) for name in self._task.required()]

    def start(
        self,
        executor: object,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
    ) -> Coroutine[Any, Any, RunLog]:
        """Have a job executor run the task."""
        runs = cast("BaseJobExecutor", executor)
        return runs.submit_job(
            self._task, self._catalog, parameters, runtime, self._policy
        )
