"""What authors write: pipelines, and the steps they consist of."""

from runnable.graph import Backoff
from runnable.sdk.composites import CompositeStep, Conditional, Loop, Map, Parallel
from runnable.sdk.history import get_run_log
from runnable.sdk.jobs import PythonJob, ShellJob
from runnable.sdk.pipeline import AsyncPipeline, Pipeline, Step
from runnable.sdk.steps import (
    AsyncPythonTask,
    Catalog,
    Fail,
    PythonTask,
    ShellTask,
    Stub,
    Success,
    TaskStep,
)

__all__ = [
    "AsyncPipeline",
    "AsyncPythonTask",
    "Backoff",
    "Catalog",
    "CompositeStep",
    "Conditional",
    "Fail",
    "Loop",
    "Map",
    "Parallel",
    "Pipeline",
    "PythonJob",
    "PythonTask",
    "ShellJob",
    "ShellTask",
    "Step",
    "Stub",
    "Success",
    "TaskStep",
    "get_run_log",
]
