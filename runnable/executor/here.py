"""Run something in this process, with the services of the current run."""

from collections.abc import Coroutine, Mapping
from typing import Any

from runnable.catalog import BaseCatalog
from runnable.context import RunContext
from runnable.datastore import AnyParameter, BaseRunLogStore, CodeVersions, RunLog
from runnable.engine import AS_USUAL, Conditions, Runtime, Services, UnderWay, run
from runnable.graph import Graph, JobNode
from runnable.injection import Provide, inject
from runnable.pickler import BasePickler
from runnable.runs import Runs
from runnable.secrets import BaseSecrets


def run_here(
    work: Graph | JobNode,
    parameters: Mapping[str, AnyParameter],
    runtime: Runtime,
    *,
    store_objects: bool = True,
    conditions: Conditions = AS_USUAL,
) -> Coroutine[Any, Any, RunLog]:
    """Run a pipeline, or the task of a job, with the services of the current run."""
    context, services = services_of_run()
    context.object_serialisation = store_objects
    return run(
        work,
        parameters,
        runtime,
        services,
        context,
        conditions,
        continued=context.is_retry,
    )


@inject
def services_of_run(
    *,
    context: RunContext = Provide["run_context"],
    catalog: BaseCatalog = Provide["catalog"],
    secrets: BaseSecrets = Provide["secrets"],
    pickler: BasePickler = Provide["pickler"],
    run_log_store: BaseRunLogStore = Provide["run_log_store"],
    code_versions: CodeVersions = Provide["code_versions"],
    under_way: UnderWay = Provide["under_way"],
    runs: Runs = Provide["runs"],
) -> tuple[RunContext, Services]:
    """Return the context and the services of the current run, resolved once."""
    services = Services(
        catalog, secrets, pickler, run_log_store, code_versions, under_way, runs
    )
    return context, services
