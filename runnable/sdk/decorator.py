"""Declare a function to be a task, and leave it a function."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack, cast, overload

from runnable.errors import DefinitionError
from runnable.sdk.pipeline import MAKE_STEP, Step
from runnable.sdk.steps import AsyncPythonTask, PythonTask

if TYPE_CHECKING:
    from runnable.graph import Backoff, Caching, Interrupt, Workspace
    from runnable.sdk.any_pipeline import AnyPipeline
    from runnable.sdk.task_options import Catalog
    from runnable.tasks import TaskReturns

F = TypeVar("F", bound=Callable[..., object])


class TaskOptions(TypedDict, total=False):
    """The settings of a task; see `PythonTask`."""

    name: str
    returns: "Sequence[str | TaskReturns]"
    catalog: "Catalog | None"
    secrets: list[str]
    retries: int
    retry_delay: "float | Backoff"
    timeout_seconds: float | None
    workspace: "Workspace | None"
    interrupt: "Interrupt | None"
    cache: "Caching"
    limits: "str | Sequence[str] | Mapping[str, int]"
    overrides: dict[str, str]
    next_node: str
    terminate_with_success: bool
    terminate_with_failure: bool
    on_failure: "AnyPipeline | None"
    stream_end_type: str


@overload
def task(function: F, /) -> F: ...
@overload
def task(**settings: Unpack[TaskOptions]) -> Callable[[F], F]: ...
def task(
    function: Callable[..., object] | None = None, /, **settings: Any
) -> Callable[..., object]:
    """Declare a function to be a task, which pipelines take as a step.

    The function stays as it is: it can be called, pickled and tested as before.

    Args:
        function: The function, if there are no settings.
        settings: As of `PythonTask`; the step is named after the function, unless
            `name` is given.

    Returns:
        The function; with settings, a decorator.

    Raises:
        SettingsError: If a setting is wrong, or there is no such setting.
        DefinitionError: If it is not a function.

    Example:
        >>> from runnable import Pipeline, task
        >>> @task(returns=["rows"], retries=2)
        ... def clean(raw: list[str]) -> list[str]:
        ...     return [row.strip() for row in raw if row.strip()]
        >>> @task(returns=["count"])
        ... def count(rows: list[str]) -> int:
        ...     return len(rows)
        >>> clean([" a ", ""])
        ['a']
        >>> pipeline = Pipeline(steps=[clean, count])
        >>> services = {"run_log_store": {"type": "memory"},
        ...             "catalog": {"type": "do-nothing"}}
        >>> pipeline.execute(parameters={"raw": ["a"]}, services=services)["count"]
        1
    """

    def declare(function: Callable[..., object]) -> Callable[..., object]:
        if not inspect.isfunction(function):
            kind = type(function).__qualname__
            raise DefinitionError(
                f"@task declares functions, and this is a {kind}; write "
                "PythonTask(function=...)"
            )
        make_step = partial(_step_of, settings)
        make_step(function)  # wrong settings are an error here
        setattr(function, MAKE_STEP, make_step)
        return function

    return declare if function is None else declare(function)


def _step_of(settings: Mapping[str, Any], function: Callable[..., object]) -> Step:
    streams = inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(
        function
    )
    kind = AsyncPythonTask if streams or "stream_end_type" in settings else PythonTask
    return kind(function=function, **cast("Any", settings))
