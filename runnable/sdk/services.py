"""From what is in force for a run to its services."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Protocol, cast

from runnable.catalog import BaseCatalog
from runnable.concurrency import Runs
from runnable.context.models import MakeService
from runnable.datastore import BaseRunLogStore
from runnable.errors import ConfigurationError
from runnable.executor import BaseExecutor
from runnable.pickler import BasePickler
from runnable.scope.injection import Provide, inject
from runnable.scope.options import (
    Options,
    ResolveSettings,
    RunSettings,
    Setting,
    nowhere,
)
from runnable.scope.service import Service
from runnable.secrets import BaseSecrets

PORTS: dict[str, type[Service]] = {
    "catalog": BaseCatalog,
    "secrets": BaseSecrets,
    "pickler": BasePickler,
    "run_log_store": BaseRunLogStore,
}
"""Required methods of a service of each kind; executors declare their own."""


class AnyRunContainer(Protocol):
    """A `containers.RunContainer`, as far as starting a run needs it."""

    @property
    def settings(self) -> Callable[..., ResolveSettings]:
        """Makes the settings of a run, given a container."""
        ...

    @property
    def runs(self) -> Callable[[], Runs]:
        """Returns the active runs, and their limits."""
        ...


@inject
def resolve_settings(
    *, settings: ResolveSettings = Provide["settings"]
) -> ResolveSettings:
    """Return the effective settings of a run."""
    return settings


@inject
def make_services(
    settings: RunSettings,
    ports: Mapping[str, type[Service]],
    *,
    make_service: MakeService = Provide["make_service"],
) -> tuple[dict[str, object], list[Service]]:
    """Make the services that are configured, and check those that are given.

    Args:
        settings: What is in force.
        ports: The kinds that are needed.
        make_service: Constructs one from its configuration.

    Returns:
        The services by kind, and those of them that were made here and are to be
        closed. An instance that was given belongs to the caller.

    Raises:
        ConfigurationError: If one cannot be made, or cannot do what its kind must.
    """
    services: dict[str, object] = {}
    made: list[Service] = []
    try:
        for kind, port in ports.items():
            service = settings.services[kind]
            if isinstance(service, Mapping):
                where = settings.locations.get(kind, nowhere)
                description = cast("Mapping[str, object]", service)
                made.append(make_service(kind, description, where))
                service = made[-1]
            if not isinstance(service, port):
                _check_abilities(kind, service, port)
            services[kind] = service
    except BaseException:
        close_all(made)
        raise
    return services, made


def close_all(services: Iterable[Service]) -> None:
    """Close services, the last one first; all of them, also if one fails."""
    with ExitStack() as stack:
        for service in services:
            if type(service).close is not Service.close:  # most have nothing open
                stack.callback(service.close)


def _check_abilities(kind: str, service: object, port: type[Service]) -> None:
    # A fake need not be derived from the port; a service of another kind is no fake.
    needed: frozenset[str] = getattr(port, "__abstractmethods__", frozenset())
    if issubclass(port, BaseExecutor):
        needed |= {"options", "adapt", "check"}
    missing = [name for name in sorted(needed) if not hasattr(service, name)]
    if missing or isinstance(service, Service):
        name = type(service).__qualname__
        why = f"since it has no {', '.join(missing)}" if missing else "by its class"
        problem = (
            f"{kind}: a {name} cannot be one, {why}. Derive it from "
            f"{port.__module__.removesuffix('.base')}.{port.__name__}."
        )
        raise ConfigurationError(problem)


@inject
def explain_settings(
    options: Options,
    *,
    provenance: Callable[[Options], list[Setting]] = Provide["provenance"],
) -> list[Setting]:
    """List the effective settings of a run, and their sources; secrets are masked.

    Args:
        options: What the caller says.
        provenance: Knows.

    Returns:
        Files, options of services, parameters and variables.

    Raises:
        ConfigurationError: If the configuration is wrong.
    """
    return provenance(options)


@inject
def installed_plugins(
    *, plugins: "InstalledPlugins" = Provide["plugins"]
) -> "list[InstalledPlugin]":
    """List what is installed under the entry points that this library reads.

    Args:
        plugins: Knows.

    Returns:
        Each implementation; one that cannot be imported has the reason.
    """
    return list(plugins.installed())


class InstalledPlugin(Protocol):
    """One implementation of something."""

    kind: str
    name: str
    package: str
    value: str
    problem: str

    def _asdict(self) -> dict[str, object]: ...


class InstalledPlugins(Protocol):
    """Knows what is installed."""

    def installed(self) -> Iterable[InstalledPlugin]:
        """Yield all implementations."""
        ...
