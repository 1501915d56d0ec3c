"""The run that the calling code belongs to.

`get_run_context()` answers in the code of a run, also in asyncio tasks it starts, and
in threads through `propagate` or `ContextThreadPool`. No other code sees the run.
"""

import warnings

from runnable.context.models import (
    JobContext,
    PipelineContext,
    RunContext,
    Services,
    get_run_context,
    set_run_context,
)
from runnable.context.threads import ContextThreadPool, propagate
from runnable.scope import Run, RunScope

__all__ = [
    "ContextThreadPool",
    "JobContext",
    "PipelineContext",
    "Run",
    "RunContext",
    "RunScope",
    "Services",
    "get_run_context",
    "propagate",
    "set_run_context",
]


def __getattr__(name: str) -> object:
    if name == "run_context":
        warnings.warn(
            "runnable.context.run_context is deprecated; call get_run_context()",
            DeprecationWarning,
            stacklevel=2,
        )
        return get_run_context()
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
