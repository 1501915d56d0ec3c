"""How one command is run: the kinds of tasks and what they return."""

from runnable.tasks.base import BaseTaskType, Call, Returns
from runnable.tasks.python import PythonTaskType
from runnable.tasks.returns import TaskReturns, json, metric, pickled

__all__ = [
    "BaseTaskType",
    "Call",
    "PythonTaskType",
    "Returns",
    "TaskReturns",
    "json",
    "metric",
    "pickled",
]
