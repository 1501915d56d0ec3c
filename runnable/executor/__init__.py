"""Executors: how and where the steps of a pipeline, or a job, are run."""

from runnable.executor.base import BaseExecutor, BaseJobExecutor, BasePipelineExecutor
from runnable.executor.cluster import (
    Cluster,
    Lost,
    RemoteCall,
    RemoteWork,
    Sealed,
    StopSignal,
    call_by_name,
)
from runnable.executor.commands import arguments_of
from runnable.executor.execution import (
    DEFAULT_OPTIONS,
    Console,
    ExecutionOptions,
    LaunchedStep,
    PipelineReference,
    Renderer,
    RenderRequest,
    StepLauncher,
    StepReport,
    StepRequest,
)

__all__ = [
    "DEFAULT_OPTIONS",
    "BaseExecutor",
    "BaseJobExecutor",
    "BasePipelineExecutor",
    "Cluster",
    "Console",
    "ExecutionOptions",
    "LaunchedStep",
    "Lost",
    "PipelineReference",
    "RemoteCall",
    "RemoteWork",
    "RenderRequest",
    "Renderer",
    "Sealed",
    "StepLauncher",
    "StepReport",
    "StepRequest",
    "StopSignal",
    "arguments_of",
    "call_by_name",
]
