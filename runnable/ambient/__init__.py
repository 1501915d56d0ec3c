"""What is process-wide by nature, made aware of the current step, reversibly."""

from runnable.ambient.activation import active_run
from runnable.ambient.environment import environment_of_step
from runnable.ambient.output import Console, OutputLog

__all__ = ["Console", "OutputLog", "active_run", "environment_of_step"]
