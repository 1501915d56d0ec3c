"""What authors write: pipelines, and the steps they consist of."""

from runnable.sdk.history import get_run_log
from runnable.sdk.pipeline import Pipeline, Step
from runnable.sdk.steps import Catalog, Fail, PythonTask, Stub, Success, TaskStep

__all__ = [
    "Catalog",
    "Fail",
    "Pipeline",
    "PythonTask",
    "Step",
    "Stub",
    "Success",
    "TaskStep",
    "get_run_log",
]
