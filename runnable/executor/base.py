"""The ports of executors: how the steps of a pipeline, or a job, are run."""

import abc
from collections.abc import Mapping

from pydantic import JsonValue

from runnable.context import JobContext, PipelineContext
from runnable.executor.execution import DEFAULT_OPTIONS, ExecutionOptions
from runnable.graph import Graph, tasks_of
from runnable.journal import AnyParameter
from runnable.scope.injection import Provide, inject
from runnable.scope.service import Service
from runnable.tasks import BaseTaskType


class BaseExecutor(Service, abc.ABC):
    """Chooses how steps are launched; the engine runs them.

    An executor of your own overrides `options`, and maybe `adapt`. It is registered
    under the entry point group `pipeline_executor` or `job_executor`.
    """

    @property
    def _context(self) -> PipelineContext | JobContext:
        """The context of the current run; RuntimeError outside a run."""
        return self._injected_context()

    @inject
    def _injected_context(
        self, *, run_context: PipelineContext | JobContext = Provide["run_context"]
    ) -> PipelineContext | JobContext:
        return run_context

    @property
    def options(self) -> ExecutionOptions:
        """The execution options; the engine asks once for each run, within it."""
        return DEFAULT_OPTIONS

    def adapt(self, graph: Graph, parameters: Mapping[str, AnyParameter]) -> Graph:
        """Return the graph that is run, such as one with other tasks.

        Args:
            graph: That of the pipeline, or of the job.
            parameters: Those that the run starts with.

        Raises:
            ConfigurationError: If the configuration of the executor does not fit it.
        """
        del parameters
        return graph

    def identities(self) -> Mapping[str, str]:
        """Return what else identifies the code that steps run, such as their image.

        The engine asks before a run whose steps other processes run.
        """
        return {}

    def check(self, graph: Graph) -> None:
        """Refuse a pipeline that this executor cannot run, before it is run.

        Args:
            graph: Its graph.

        Raises:
            ConfigurationError: If the configuration of the executor does not fit it.
            DefinitionError: If something that a task runs is not there.
        """
        for node in tasks_of([graph]):
            if isinstance(node.task, BaseTaskType):
                node.task.check()


class BasePipelineExecutor(BaseExecutor):
    """Chooses how the steps of pipelines are launched."""

    service_type: str = "pipeline_executor"
    overrides: dict[str, dict[str, JsonValue]] = {}
    """Blocks of configuration that a task chooses by name."""


class BaseJobExecutor(BaseExecutor):
    """Chooses how jobs are launched."""

    service_type: str = "job_executor"
