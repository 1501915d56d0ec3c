"""Names of version 0.50 that moved, and where they are now.

A package that had one of them asks here when a name is missing: the name is there, with
a warning that says what to import instead.
"""

import importlib
import warnings

MOVED = {
    "runnable.telemetry": {
        "OTEL_AVAILABLE": "runnable:OTEL_AVAILABLE",
        "get_stream_queue": "runnable:get_stream_queue",
        "set_stream_queue": "runnable:set_stream_queue",
        "truncate_value": "runnable:truncate_value",
    },
    "runnable.defaults": {
        "IterableParameterModel": "runnable.engine:Iteration",
        "LoopIndexModel": "runnable.engine.single_step.address:Given",
        "MapVariableModel": "runnable.engine.single_step.address:Given",
    },
    "runnable.secrets": {
        "DoNothingSecretManager": "runnable.secrets.do_nothing:DoNothingSecrets",
        "EnvSecretsManager": "runnable.secrets.environment:EnvSecrets",
    },
    "runnable.catalog": {
        "DoNothingCatalog": "runnable.catalog.do_nothing:DoNothingCatalog",
    },
    "runnable.pickler": {
        "NativePickler": "runnable.pickler.native:NativePickler",
    },
    "runnable.datastore": {
        "BufferRunLogstore": "runnable.datastore.memory:MemoryRunLogStore",
    },
    "runnable.sdk": {
        "BaseJob": "runnable.sdk.jobs:Job",
        "BaseTask": "runnable.sdk:TaskStep",
        "BaseTraversal": "runnable.sdk:Step",
    },
}
"""Where the names of a module are now."""

GONE = {
    "extensions": "ports are in `runnable`; see how-to/plugins",
    "runnable.nodes": "`runnable.graph` describes steps, the engine runs them",
    "runnable.gantt": "use `runnable timeline`, or `runnable.report`",
    "runnable.entrypoints": "use `load_pipeline(file).execute(...)`, or the commands",
    "runnable.utils": "helpers without a promise; use the standard library",
    "runnable.graph.create_graph": "use `load_pipeline(file).return_dag()`",
    "runnable.graph.search_node_by_internal_name": "use `runnable.graph.node_at`",
    "runnable.graph.search_branch_by_internal_name": "use `runnable.graph.node_at`",
    "runnable.tasks.create_task": "a plugin adds a kind of task; see how-to/plugins",
}
"""Names that are gone, and their replacement."""


def earlier_name(module: str, name: str) -> object:
    """Return what a name of version 0.50 stands for now, with a warning.

    Args:
        module: The name of the module that had it.
        name: The name.

    Raises:
        AttributeError: If the module had no such name.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True) as seen:
        ...     warnings.simplefilter("always")
        ...     earlier_name("runnable.pickler", "NativePickler").__name__
        'NativePickler'
        >>> print(seen[0].message)
        runnable.pickler.NativePickler is now runnable.pickler.native.NativePickler
    """
    home = MOVED.get(module, {}).get(name)
    if home is None:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    where, _, now = home.partition(":")
    text = f"{module}.{name} is now {where}.{now}"
    warnings.warn(text, DeprecationWarning, stacklevel=3)
    found: object = getattr(importlib.import_module(where), now)
    return found
