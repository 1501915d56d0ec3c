"""The composition root of `runnable`: the only code that names implementations.

`container` answers every marker with what the run of the caller has. Replace a service
for a `with` block with `container.catalog.override(fake)`; subclass `RunContainer` to
add services of your own, made once per run with `OncePerRun`.
"""

from containers.diagram import graph
from containers.providers import FromRun, OncePerRun
from containers.run import RunContainer, container, validate
from containers.settings import Settings

__all__ = [
    "FromRun",
    "OncePerRun",
    "RunContainer",
    "Settings",
    "container",
    "graph",
    "validate",
]
