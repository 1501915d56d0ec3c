"""Process-wide streams, environment and logging, made to follow the current step."""

from runnable.capture.activation import active_run
from runnable.capture.environment import (
    environment_of_step,
    real_environment,
    replace_environment,
)
from runnable.capture.streams import (
    Streams,
    is_written_through,
    real_stream,
    written_through,
)

__all__ = [
    "Streams",
    "active_run",
    "environment_of_step",
    "is_written_through",
    "real_environment",
    "real_stream",
    "replace_environment",
    "written_through",
]
