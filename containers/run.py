"""The composition root: which services there are, and who answers a marker."""

from collections.abc import Callable
from operator import attrgetter
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, cast

from dependency_injector import containers, providers

from containers.known import KNOWN
from containers.plugins import KINDS, Plugins
from containers.provenance import Provenance
from containers.providers import ContextScoped, FromRun
from containers.service_types import service_of_type
from containers.settings import Settings
from containers.validation import FirstRun, find_problems
from runnable.concurrency import Heartbeats, Periodic, Runs, Threads
from runnable.errors import ConfigurationError, did_you_mean
from runnable.scope import StepScope, current_step, find_run
from runnable.scope.injection import connect, type_of

if TYPE_CHECKING:
    # Any of these modules may define the first marker, and so load this one.
    from runnable.catalog import BaseCatalog
    from runnable.context import JobContext, PipelineContext
    from runnable.context.models import Executor
    from runnable.datastore import BaseRunLogStore, CodeVersions
    from runnable.engine.files_in_use import FilesInUse
    from runnable.engine.workers.fork_server import ForkServer
    from runnable.pickler import BasePickler
    from runnable.secrets import BaseSecrets, Masker


def _make_fork_server() -> "ForkServer":
    # Here, since the engine may be what is being imported.
    from runnable.engine.workers.fork_server import ForkServer

    return ForkServer()


def _make_code_versions() -> "CodeVersions":
    from runnable.datastore.code_versions import CodeVersions

    return CodeVersions()


def _make_files_in_use() -> "FilesInUse":
    from runnable.engine.files_in_use import FilesInUse

    return FilesInUse()


class RunContainer(containers.DeclarativeContainer):
    """The services of runs; subclass it to add your own.

    The instance `container` has no state of its own: its providers answer with what
    the run of the caller has, so one container serves any number of runs at once.

    Example:
        >>> from containers import OncePerRun
        >>> class AppContainer(RunContainer):
        ...     session = OncePerRun(dict, tenant=RunContainer.run_id)
        >>> app = AppContainer()
        >>> app.session
        OncePerRun(dict)
    """

    def __new__(cls, **overriding: Any) -> Self:
        """Make a container."""
        made = super().__new__(cls, **overriding)
        KNOWN.add(cast("containers.DynamicContainer", made))
        return made

    run_context: "FromRun[PipelineContext | JobContext]" = FromRun()
    run_id: FromRun[str] = FromRun("run_id")
    catalog: "FromRun[BaseCatalog]" = FromRun("catalog")
    secrets: "FromRun[BaseSecrets]" = FromRun("secrets")
    pickler: "FromRun[BasePickler]" = FromRun("pickler")
    masker: "FromRun[Masker]" = FromRun("masker")
    run_log_store: "FromRun[BaseRunLogStore]" = FromRun("run_log_store")
    pipeline_executor: "FromRun[Executor]" = FromRun("pipeline_executor")
    job_executor: "FromRun[Executor]" = FromRun("job_executor")
    step: "providers.Provider[StepScope | None]" = providers.Callable(current_step)

    # Providers of the machinery of runs; these answer outside a run as well.
    plugins: providers.Provider[Plugins] = providers.ThreadSafeSingleton(Plugins)
    make_service = providers.Callable(attrgetter("make_service"), plugins)
    plugin_names = providers.Callable(attrgetter("names"), plugins)
    find_plugin = providers.Callable(attrgetter("find"), plugins)
    first_run: providers.Provider[FirstRun] = providers.ThreadSafeSingleton(FirstRun)
    settings: providers.Provider[Settings] = providers.Callable(
        lambda *own: Settings(own[0] if own else container_in_force())
    )
    provenance = providers.Callable(Provenance, settings, plugins)
    code_versions: "providers.Provider[CodeVersions]" = providers.ThreadSafeSingleton(
        _make_code_versions
    )
    heartbeats: providers.Provider[Heartbeats] = providers.ThreadSafeSingleton(
        Heartbeats
    )
    runs: providers.Provider[Runs] = providers.ThreadSafeSingleton(Runs)
    threads: providers.Provider[Threads] = providers.ThreadSafeSingleton(Threads)
    io_threads: providers.Provider[Threads] = providers.ThreadSafeSingleton(
        Threads, limit=32
    )
    periodic: providers.Provider[Periodic] = providers.ThreadSafeSingleton(Periodic)
    hook_threads: providers.Provider[Threads] = providers.ThreadSafeSingleton(
        Threads, limit=8, idle_seconds=0.0, is_daemon=False
    )
    on_run_end: providers.Provider[object] = providers.Object(())
    """Hooks that are called when a run has ended, beside those of its configuration:
    functions, or mappings as in the configuration file."""
    on_failure: providers.Provider[object] = providers.Object(())
    """The same, after runs that have failed."""
    on_success: providers.Provider[object] = providers.Object(())
    """The same, after runs that have succeeded."""
    on_step: providers.Provider[object] = providers.Object(())
    """The same, after each attempt of a step."""
    fork_server: "providers.Provider[ForkServer]" = providers.ThreadSafeSingleton(
        _make_fork_server
    )
    files_in_use: "providers.Provider[FilesInUse]" = providers.ThreadSafeSingleton(
        _make_files_in_use
    )


container = RunContainer()


def validate(checked: containers.Container | None = None) -> list[str]:
    """Find markers that name no service, or one of another type than is annotated.

    It is done by itself before the first run of a container.

    Args:
        checked: The container whose services there are; the default one if None.

    Returns:
        A sentence for each such marker; none if all is well.

    Example:
        >>> all("asks for" in sentence for sentence in validate())
        True
    """
    return [*find_problems(checked or container)]


def container_in_force() -> containers.Container:
    """Return the container of the current run; the default one outside a run."""
    run = find_run()
    own = run.container if run is not None else None
    return own if isinstance(own, containers.Container) else container


class _Marked(ContextScoped[Any]):
    """Stands for a marker: asks the container that is in force when called."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service
        self._type = type_of(service)
        self._name, *self._attributes = service.split(".")

    def _provide(self, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
        # A marker is not overridden itself, but the service that it names.
        del args, kwargs
        inside = container_in_force()
        known = inside.providers
        name = self._name
        if self._type is not None:
            name = service_of_type(self._type, inside)
        provider: Any = known.get(name)
        if name in KINDS and not isinstance(provider, ContextScoped):
            # A run has one service of each kind, wherever it came from.
            provider = container.providers[name]
        if provider is None:
            hint = did_you_mean(self._name, known)
            problem = f"Provide[{self._service!r}] names no service. {hint}"
            raise ConfigurationError(problem)
        if self._attributes:
            provider = attrgetter(".".join(self._attributes))(provider)
        found = cast("Callable[[], object]", provider)()
        KNOWN.note_answer(self._service)
        return found

    def copy_for_container(self, memo: dict[int, object]) -> "_Marked":
        del memo
        return _Marked(self._service)


_marked = containers.DynamicContainer()


def _wire(module: str, services: list[str]) -> None:
    # A stand-in with the module's name: binds what `inject` decorated there, and
    # inspects nothing else, so it costs microseconds and wraps no methods.
    for service in services:
        if service not in _marked.providers:
            _marked.set_provider(service, _Marked(service))
    _marked.wire(modules=[ModuleType(module)])


connect(_wire)
