"""Turn functions, shell commands and notebooks into tracked pipelines.

Names are imported when they are first used, so that `import runnable` costs nothing.
"""

import importlib
import importlib.util
from typing import TYPE_CHECKING

# Errors are pickled by this module's name, which loads nothing by itself.
from runnable import exceptions as exceptions

if TYPE_CHECKING:
    # The same names as below, where type checkers and editors see them.
    from runnable.exceptions import ExecutionFailedError
    from runnable.report import summarise
    from runnable.scope.injection import Provide, inject, provide
    from runnable.scope.workdir import workdir
    from runnable.sdk import (
        AsyncPipeline,
        AsyncPythonTask,
        Backoff,
        Catalog,
        Conditional,
        Config,
        Fail,
        Loop,
        Map,
        NotebookJob,
        NotebookTask,
        Parallel,
        Pipeline,
        PythonJob,
        PythonTask,
        ShellJob,
        ShellTask,
        Stub,
        Success,
        Task,
        delete_runs,
        get_run_log,
        get_stream_queue,
        list_runs,
        load_pipeline,
        runs_to_frame,
        set_stream_queue,
        task,
        truncate_value,
    )
    from runnable.tasks import json as json
    from runnable.tasks import metric, pickled

# Without `json`, so that a star import does not hide the standard module.
__all__ = [
    "AsyncPipeline",
    "AsyncPythonTask",
    "Backoff",
    "Catalog",
    "Conditional",
    "Config",
    "ExecutionFailedError",
    "Fail",
    "Loop",
    "Map",
    "NotebookJob",
    "NotebookTask",
    "Parallel",
    "Pipeline",
    "Provide",
    "PythonJob",
    "PythonTask",
    "ShellJob",
    "ShellTask",
    "Stub",
    "Success",
    "Task",
    "delete_runs",
    "get_run_log",
    "get_stream_queue",
    "inject",
    "list_runs",
    "load_pipeline",
    "metric",
    "pickled",
    "provide",
    "runs_to_frame",
    "set_stream_queue",
    "summarise",
    "task",
    "truncate_value",
    "workdir",
]

_HOMES = {
    "runnable.exceptions": ["ExecutionFailedError"],
    "runnable.scope.injection": ["Provide", "inject", "provide"],
    "runnable.report": ["summarise"],
    "runnable.scope.workdir": ["workdir"],
    "runnable.sdk": [
        "AsyncPipeline",
        "AsyncPythonTask",
        "Backoff",
        "Catalog",
        "Conditional",
        "Config",
        "Fail",
        "Loop",
        "Map",
        "NotebookJob",
        "NotebookTask",
        "Parallel",
        "Pipeline",
        "PythonJob",
        "PythonTask",
        "ShellJob",
        "ShellTask",
        "Stub",
        "Success",
        "Task",
        "delete_runs",
        "get_run_log",
        "get_stream_queue",
        "list_runs",
        "load_pipeline",
        "runs_to_frame",
        "set_stream_queue",
        "task",
        "truncate_value",
    ],
    "runnable.tasks": ["json", "metric", "pickled"],
}


def __getattr__(name: str) -> object:
    if name in {"console", "task_console"}:
        return _console()
    if name == "OTEL_AVAILABLE":
        return _has_telemetry()
    if name == "StreamingSpanProcessor":
        return _span_processor()
    for home, names in _HOMES.items():
        if name in names:
            value: object = getattr(importlib.import_module(home), name)
            globals()[name] = value
            return value
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)


def _has_telemetry() -> bool:
    """Return True if the SDK of OpenTelemetry is installed."""
    try:
        return importlib.util.find_spec("opentelemetry.sdk") is not None
    except ModuleNotFoundError:
        return False


def _span_processor() -> object:
    """Return the class; None without the SDK, as version 0.50 has it."""
    if not _has_telemetry():
        return None
    home = importlib.import_module("runnable.sdk.span_stream")
    found: object = home.StreamingSpanProcessor
    return found


def _console() -> object:
    """Make a console that prints to wherever standard output leads at that moment."""
    from rich.console import Console

    return Console()


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
