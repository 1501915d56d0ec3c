"""Task types: how each kind of command is run, and what it returns."""

from runnable.tasks.base import BaseTaskType, Call
from runnable.tasks.notebook import NotebookTaskType
from runnable.tasks.python import AsyncPythonTaskType, PythonTaskType
from runnable.tasks.returns import TaskReturns, as_returns, json, metric, pickled
from runnable.tasks.shell import ShellTaskType

__all__ = [
    "AsyncPythonTaskType",
    "BaseTaskType",
    "Call",
    "NotebookTaskType",
    "PythonTaskType",
    "ShellTaskType",
    "TaskReturns",
    "as_returns",
    "json",
    "metric",
    "pickled",
]
