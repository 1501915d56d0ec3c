"""Which service of a container is of a type."""

import functools
import inspect
import typing
from collections.abc import Iterator

from dependency_injector import containers, providers

from containers.providers import OncePerRun
from runnable.errors import ConfigurationError


def declared_types(name: str, provider: object) -> tuple[type, ...]:
    """Return the classes of which the service of a provider is, as far as is known.

    Args:
        name: Of the service.
        provider: Makes it.
    """
    if (known := _homes().get(name)) is not None:
        return known
    if getattr(provider, "overridden", ()):
        return ()  # whatever its override makes
    made: object = getattr(provider, "provides", None)
    if isinstance(provider, OncePerRun):
        made = provider.factory
    if isinstance(provider, providers.Object):
        return () if made is None else (type(made),)
    kind = made if inspect.isclass(made) else _returned(made)
    # A generator function is annotated with an iterator, and makes what this yields.
    if inspect.isclass(kind) and kind.__module__ not in {"collections.abc", "typing"}:
        return (kind,)
    return ()


def _returned(function: object) -> object:
    try:
        return typing.get_type_hints(function).get("return")
    except (NameError, TypeError, AttributeError):
        return None  # a name that only type checkers know


@functools.cache
def _homes() -> dict[str, tuple[type, ...]]:
    """Return the classes of the services that each run has, by name."""
    # Imported when asked for: any of these modules may be what loads the container.
    from runnable.catalog import BaseCatalog
    from runnable.concurrency import Runs
    from runnable.context import JobContext, PipelineContext, RunContext
    from runnable.datastore import BaseRunLogStore
    from runnable.executor import BaseJobExecutor, BasePipelineExecutor
    from runnable.pickler import BasePickler
    from runnable.scope import StepScope
    from runnable.secrets import BaseSecrets, Masker

    return {
        "catalog": (BaseCatalog,),
        "secrets": (BaseSecrets,),
        "pickler": (BasePickler,),
        "run_log_store": (BaseRunLogStore,),
        "pipeline_executor": (BasePipelineExecutor,),
        "job_executor": (BaseJobExecutor,),
        "run_context": (RunContext, PipelineContext, JobContext),
        "run_id": (str,),
        "masker": (Masker,),
        "step": (StepScope,),
        "runs": (Runs,),
    }


def service_of_type(kind: type, asked: containers.Container) -> str:
    """Return the name of the service of a container that is of a type.

    Args:
        kind: The class, or a base class of it.
        asked: The container.

    Raises:
        ConfigurationError: If there is none, or several are.
    """
    found = [*_names(kind, asked)]
    if len(found) == 1:
        return found[0]
    name = f"provide({kind.__qualname__})"
    if not found:
        raise ConfigurationError(
            f"{name} finds no service: no service of the container is declared to be "
            "one. Give the provider of it a class, or a function that is annotated "
            f"to return one; or name the service, provide({kind.__qualname__}, '...')"
        )
    raise ConfigurationError(
        f"{name} finds several services: {', '.join(found)}. Name one of them: "
        f"provide({kind.__qualname__}, {found[0]!r})"
    )


def _names(kind: type, asked: containers.Container) -> Iterator[str]:
    for name, provider in asked.providers.items():
        if any(issubclass(it, kind) for it in declared_types(name, provider)):
            yield name
