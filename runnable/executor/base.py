"""The ports of executors: where the steps of a pipeline, or a job, are run."""

import abc
from collections.abc import Mapping

from pydantic import JsonValue

from runnable.context import JobContext, PipelineContext, get_run_context
from runnable.datastore import AnyParameter, RunLog
from runnable.engine import Runtime
from runnable.graph import ONE_ATTEMPT, CatalogSettings, Graph, Policy
from runnable.service import Service
from runnable.tasks import BaseTaskType


class _Executor(Service, abc.ABC):
    @property
    def _context(self) -> PipelineContext | JobContext | None:
        """The context of the run that the caller belongs to."""
        return get_run_context()


class BasePipelineExecutor(_Executor):
    """Decides where the steps of a pipeline run."""

    service_type: str = "pipeline_executor"
    overrides: dict[str, dict[str, JsonValue]] = {}
    """Blocks of configuration that a task chooses by name."""

    @abc.abstractmethod
    async def execute_graph(
        self, graph: Graph, parameters: Mapping[str, AnyParameter], runtime: Runtime
    ) -> RunLog:
        """Run a pipeline.

        Args:
            graph: Its graph.
            parameters: Those it starts with.
            runtime: How functions are called.

        Returns:
            The log of the run.

        Raises:
            ExecutionFailedError: If the run ended in failure.
        """


class BaseJobExecutor(_Executor):
    """Decides where the task of a job runs."""

    service_type: str = "job_executor"

    @abc.abstractmethod
    async def submit_job(
        self,
        job: BaseTaskType,
        catalog_settings: CatalogSettings,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
        policy: Policy = ONE_ATTEMPT,
    ) -> RunLog:
        """Run a job, or have it run.

        Args:
            job: The task.
            catalog_settings: Files to put into the catalog.
            parameters: Those it starts with.
            runtime: How functions are called.
            policy: How often it is tried, and how long a try may take.

        Returns:
            The log of the run.
        """
