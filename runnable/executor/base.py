"""The ports of executors: where the steps of a pipeline, or a job, are run."""

import abc
import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager

from pydantic import JsonValue

from runnable.context import (
    JobContext,
    PipelineContext,
    get_run_context,
)
from runnable.datastore import AnyParameter, RunLog
from runnable.engine import (
    AS_USUAL,
    Conditions,
    Joined,
    Part,
    Runtime,
    joined,
)
from runnable.executor.here import run_here, services_of_run
from runnable.graph import (
    ONE_ATTEMPT,
    CatalogSettings,
    CompositeNode,
    Graph,
    JobNode,
    Policy,
    TaskNode,
)
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

    @property
    def conditions(self) -> Conditions:
        """How a run is to go on in this process."""
        return AS_USUAL

    def join(
        self, part: Part, parameters: Mapping[str, AnyParameter], runtime: Runtime
    ) -> AbstractAsyncContextManager[Joined]:
        """Join the current run for one of its steps, which is run in this process.

        Args:
            part: The step.
            parameters: Those that the run begins with, if this is its first part.
            runtime: How functions are called.
        """
        context, services = services_of_run()
        return joined(part, parameters, runtime, services, context, self.conditions)

    def check(self, graph: Graph) -> None:
        """Refuse a pipeline that this executor cannot run, before it is run.

        Args:
            graph: Its graph.

        Raises:
            ConfigurationError: If the configuration of the executor does not fit it.
            DefinitionError: If something that a task runs is not there.
        """
        for node in graph.nodes.values():
            if isinstance(node, CompositeNode):
                for branch in node.branches.values():
                    self.check(branch)
            elif isinstance(node, TaskNode) and isinstance(node.task, BaseTaskType):
                node.task.check()

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

    @property
    def conditions(self) -> Conditions:
        """How the task is to go on in this process."""
        return AS_USUAL

    async def execute_job(
        self,
        job: BaseTaskType,
        catalog_settings: CatalogSettings,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
        policy: Policy = ONE_ATTEMPT,
    ) -> RunLog:
        """Run a job in this process; also where `submit_job` has had it sent to.

        Args:
            job: The task.
            catalog_settings: Files to put into the catalog.
            parameters: Those it starts with.
            runtime: How functions are called.
            policy: How often it is tried, and how long a try may take.

        Returns:
            The log of the run.
        """
        node = JobNode(
            name="job",
            next_node="",
            task=job,
            catalog=catalog_settings,
            policy=policy,
        )
        return await run_here(node, parameters, runtime, conditions=self.conditions)

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


def job_digest(job: BaseTaskType, catalog_settings: CatalogSettings) -> str:
    """Return what tells a job from others of the same program.

    Args:
        job: Its task.
        catalog_settings: Files to put into the catalog.

    Returns:
        Sixteen hexadecimal digits.
    """
    described = [job.describe(), catalog_settings.describe()]
    text = json.dumps(described, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
