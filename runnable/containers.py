"""The composition root: which services there are, and who answers a marker.

The same as the top-level package `containers`, by the name to use in programs.

Example:
    >>> from runnable.containers import RunContainer, container
    >>> isinstance(container, type(RunContainer()))
    True
"""

from containers import (
    FromRun,
    OncePerRun,
    RunContainer,
    Settings,
    container,
    graph,
    validate,
)

__all__ = [
    "FromRun",
    "OncePerRun",
    "RunContainer",
    "Settings",
    "container",
    "graph",
    "validate",
]
