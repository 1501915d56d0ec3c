"""Executors: how and where the steps of a pipeline, or a job, are run."""

from runnable.executor.base import BaseExecutor, BaseJobExecutor, BasePipelineExecutor
from runnable.executor.execution import (
    DEFAULT_OPTIONS,
    Console,
    ExecutionOptions,
    LaunchedStep,
    PipelineReference,
    StepLauncher,
    StepReport,
    StepRequest,
)

__all__ = [
    "DEFAULT_OPTIONS",
    "BaseExecutor",
    "BaseJobExecutor",
    "BasePipelineExecutor",
    "Console",
    "ExecutionOptions",
    "LaunchedStep",
    "PipelineReference",
    "StepLauncher",
    "StepReport",
    "StepRequest",
]
