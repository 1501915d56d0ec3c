"""The composition root of `runnable`: the only code that names implementations.

`container` answers every marker with what the run of the caller has. Replace a service
for a `with` block with `container.catalog.override(fake)`; subclass `RunContainer` to
add services of your own, made once per run with `OncePerRun`.
"""

from runnable.system.wiring_import import import_wiring

import_wiring()  # before dependency-injector does so itself

from containers.diagram import graph  # noqa: E402
from containers.providers import FromRun, OncePerRun  # noqa: E402
from containers.run import RunContainer, container, validate  # noqa: E402
from containers.settings import Settings  # noqa: E402

__all__ = [
    "FromRun",
    "OncePerRun",
    "RunContainer",
    "Settings",
    "container",
    "graph",
    "validate",
]
