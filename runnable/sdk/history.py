"""Read the logs of runs."""

from collections.abc import Mapping
from typing import TypeVar

from runnable.catalog import BaseCatalog
from runnable.context.models import MakeService
from runnable.datastore import BaseRunLogStore, ObjectLoader, RunLog
from runnable.exceptions import ConfigurationError
from runnable.injection import Provide, inject
from runnable.options import Options, ResolveSettings
from runnable.pickler import BasePickler

T = TypeVar("T")


@inject
def get_run_log(
    run_id: str,
    configuration_file: str | None = None,
    *,
    settings: ResolveSettings = Provide["settings"],
    make_service: MakeService = Provide["make_service"],
) -> RunLog:
    """Read the log of a run, finished or not.

    Args:
        run_id: The id of the run.
        configuration_file: Says where run logs and objects are; found as for
            `Pipeline.execute` if None.
        settings: Brings configuration together.
        make_service: Makes the services it names.

    Returns:
        The run log; `get_value()` of its parameters also loads stored objects.

    Raises:
        RunLogNotFoundError: If there is no such run.
        ConfigurationError: If the configuration is wrong.
    """
    services = settings(Options(configuration_file=configuration_file or "")).services

    def service(kind: str, port: type[T]) -> T:
        configured = services[kind]
        if isinstance(configured, Mapping):
            configured = make_service(kind, configured)
        if not isinstance(configured, port):
            raise ConfigurationError(f"{kind} is no {port.__name__}")
        return configured

    store = service("run_log_store", BaseRunLogStore)  # type: ignore[type-abstract]  # a port to compare with
    catalog = service("catalog", BaseCatalog)  # type: ignore[type-abstract]  # likewise
    pickler = service("pickler", BasePickler)  # type: ignore[type-abstract]  # likewise
    loader = ObjectLoader(run_id, catalog, pickler, {})
    return store.get_run_log_by_id(run_id, full=True, loader=loader)
