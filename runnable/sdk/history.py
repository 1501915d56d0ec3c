"""Read the logs of runs."""

from collections.abc import Mapping
from typing import cast

from runnable.catalog import BaseCatalog
from runnable.datastore import BaseRunLogStore, ObjectLoader, RunLog
from runnable.options import Options
from runnable.pickler import BasePickler
from runnable.sdk.services import (
    PORTS,
    close_all,
    make_services,
    resolve_settings,
)

_NEEDED = {kind: PORTS[kind] for kind in ("run_log_store", "catalog", "pickler")}


def get_run_log(
    run_id: str,
    configuration_file: str | None = None,
    *,
    services: Mapping[str, object] | None = None,
) -> RunLog:
    """Read the log of a run, finished or not.

    Args:
        run_id: The id of the run.
        configuration_file: Says where run logs and objects are; found as for
            `Pipeline.execute` if None.
        services: As for `Pipeline.execute`.

    Returns:
        The run log; `get_value()` of its parameters also loads stored objects.

    Raises:
        RunLogNotFoundError: If there is no such run where the configuration says.
        RunLogDamagedError: If a record of the run was changed.
        ConfigurationError: If the configuration is wrong.

    Example:
        >>> from runnable import Pipeline, Stub
        >>> from runnable.datastore.memory import MemoryRunLogStore
        >>> services = {"run_log_store": MemoryRunLogStore()}
        >>> _ = Pipeline(steps=[Stub(name="s")]).execute(
        ...     run_id="r1", services={**services, "catalog": {"type": "do-nothing"}}
        ... )
        >>> get_run_log("r1", services=services).status
        'SUCCESS'
    """
    options = Options(
        configuration_file=configuration_file or "", services=services or {}
    )
    made, owned = make_services(resolve_settings()(options), _NEEDED)
    store = cast("BaseRunLogStore", made["run_log_store"])
    catalog = cast("BaseCatalog", made["catalog"])
    loader = ObjectLoader(run_id, catalog, cast("BasePickler", made["pickler"]), {})
    try:
        return store.get_run_log_by_id(run_id, full=True, loader=loader)
    finally:
        # The catalog and the pickler serve the run log, which loads its objects later.
        close_all(service for service in owned if service is store)
