"""The authoring API: pipelines, and the steps they consist of.

Names are imported when they are first used: who writes a sequence of functions does not
pay for branches, commands and jobs.
"""

import importlib
from typing import TYPE_CHECKING

from runnable.earlier_names import earlier_name

if TYPE_CHECKING:
    # The same names as below, where type checkers and editors see them.
    from runnable.datastore.frames import runs_to_frame
    from runnable.graph import Backoff
    from runnable.sdk.composites import CompositeStep, Conditional, Loop, Map, Parallel
    from runnable.sdk.decorator import task
    from runnable.sdk.discovery import collect
    from runnable.sdk.jobs import NotebookJob, PythonJob, ShellJob
    from runnable.sdk.pipeline import AsyncPipeline, Pipeline, Step
    from runnable.sdk.rehearsal import find_problems
    from runnable.sdk.run_options import Config
    from runnable.sdk.runs import (
        delete_runs,
        find_run_id,
        get_run_log,
        has_crashed,
        list_runs,
    )
    from runnable.sdk.steps import (
        AsyncPythonTask,
        Fail,
        NotebookTask,
        PythonTask,
        ShellTask,
        Stub,
        Success,
        Task,
        TaskStep,
    )
    from runnable.sdk.stream_queue import (
        get_stream_queue,
        set_stream_queue,
        truncate_value,
    )
    from runnable.sdk.task_options import Catalog
    from runnable.sdk.yaml_pipeline import load_pipeline
    from runnable.tasks import json as json
    from runnable.tasks import metric, pickled

# Without `json`, so that a star import does not hide the standard module.
__all__ = [
    "AsyncPipeline",
    "AsyncPythonTask",
    "Backoff",
    "Catalog",
    "CompositeStep",
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
    "Step",
    "Stub",
    "Success",
    "Task",
    "TaskStep",
    "collect",
    "delete_runs",
    "find_problems",
    "find_run_id",
    "get_run_log",
    "get_stream_queue",
    "has_crashed",
    "list_runs",
    "load_pipeline",
    "metric",
    "pickled",
    "runs_to_frame",
    "set_stream_queue",
    "task",
    "truncate_value",
]

_ELSEWHERE = {
    "Backoff": "runnable.graph",
    "collect": "runnable.sdk.discovery",
    "delete_runs": "runnable.sdk.runs",
    "find_run_id": "runnable.sdk.runs",
    "get_run_log": "runnable.sdk.runs",
    "has_crashed": "runnable.sdk.runs",
    "list_runs": "runnable.sdk.runs",
    "runs_to_frame": "runnable.datastore.frames",
    "get_stream_queue": "runnable.sdk.stream_queue",
    "set_stream_queue": "runnable.sdk.stream_queue",
    "truncate_value": "runnable.sdk.stream_queue",
    "load_pipeline": "runnable.sdk.yaml_pipeline",
    "find_problems": "runnable.sdk.rehearsal",
    "task": "runnable.sdk.decorator",
    "Config": "runnable.sdk.run_options",
    "Catalog": "runnable.sdk.task_options",
    "NotebookJob": "runnable.sdk.jobs",
    "PythonJob": "runnable.sdk.jobs",
    "ShellJob": "runnable.sdk.jobs",
    "AsyncPipeline": "runnable.sdk.pipeline",
    "Pipeline": "runnable.sdk.pipeline",
    "Step": "runnable.sdk.pipeline",
    "CompositeStep": "runnable.sdk.composites",
    "Conditional": "runnable.sdk.composites",
    "Loop": "runnable.sdk.composites",
    "json": "runnable.tasks",
    "metric": "runnable.tasks",
    "pickled": "runnable.tasks",
    "Map": "runnable.sdk.composites",
    "Parallel": "runnable.sdk.composites",
}
"""The module of each name; those of single steps are in `steps`."""


def __getattr__(name: str) -> object:
    if name in __all__ or name in _ELSEWHERE:
        home = importlib.import_module(_ELSEWHERE.get(name, "runnable.sdk.steps"))
        value: object = getattr(home, name)
        globals()[name] = value
        return value
    return earlier_name(__name__, name)
