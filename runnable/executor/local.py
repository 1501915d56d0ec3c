"""Run every step in this process."""

from collections.abc import Mapping

from runnable.catalog import BaseCatalog
from runnable.context import RunContext
from runnable.datastore import AnyParameter, BaseRunLogStore, CodeVersions, RunLog
from runnable.engine import Runtime, Services, run
from runnable.executor.base import BasePipelineExecutor
from runnable.graph import Graph, JobNode
from runnable.injection import Provide, inject
from runnable.pickler import BasePickler
from runnable.secrets import BaseSecrets


class LocalExecutor(BasePipelineExecutor):
    """Runs every step in this process.

    Example:
        >>> LocalExecutor(object_serialisation=False).service_name
        'local'
    """

    service_name: str = "local"
    enable_parallel: bool = False
    """Whether branches overlap; sequences have none."""
    object_serialisation: bool = True
    """Whether returned objects are stored; if not, they stay in the run's memory."""

    async def execute_graph(
        self,
        graph: Graph,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
    ) -> RunLog:
        """Run a pipeline here."""
        keep = self.object_serialisation
        return await run_here(graph, parameters, runtime, store_objects=keep)


@inject
async def run_here(  # noqa: PLR0913 - a marker for each service
    work: Graph | JobNode,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    *,
    store_objects: bool = True,
    context: RunContext = Provide["run_context"],
    catalog: BaseCatalog = Provide["catalog"],
    secrets: BaseSecrets = Provide["secrets"],
    pickler: BasePickler = Provide["pickler"],
    run_log_store: BaseRunLogStore = Provide["run_log_store"],
    code_versions: CodeVersions = Provide["code_versions"],
) -> RunLog:
    """Run a pipeline, or the task of a job, with the services of the current run."""
    context.object_serialisation = store_objects
    services = Services(catalog, secrets, pickler, run_log_store, code_versions)
    return await run(work, parameters, runtime, services, context)
