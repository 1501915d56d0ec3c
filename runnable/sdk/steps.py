"""The kinds of steps that an author writes."""

from collections.abc import Mapping
from functools import partial
from pathlib import PurePath
from typing import Protocol, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from runnable import defaults
from runnable.errors import DefinitionError, ServiceNotFoundError, did_you_mean
from runnable.graph import StepNode, StubNode, TaskNode
from runnable.scope.injection import Provide, inject
from runnable.sdk.pipeline import Step
from runnable.sdk.task_options import (
    AsyncPythonSettings,
    Catalog,
    NotebookSettings,
    PythonSettings,
    ShellSettings,
    TaskSettings,
)
from runnable.tasks import BaseTaskType, as_returns


class Stub(Step):
    """Does nothing, and succeeds: a placeholder for a step that is still to be written.

    Any other keyword is ignored, so that a task can be turned into a stub by its
    class's name alone.

    Example:
        >>> Stub(name="later", function=print).as_pipeline().return_dag().start_at
        'later'
    """

    model_config = ConfigDict(extra="ignore")

    catalog: Catalog | None = None
    """The files that it gets and puts, as a task would."""

    def make_node(self, next_node: str, on_failure: str) -> StepNode:
        """Make the node that stands for this step in a graph."""
        return StubNode(
            name=self.name,
            next_node=next_node,
            on_failure=on_failure,
            catalog=self.catalog.settings() if self.catalog else None,
        )


class TaskStep(TaskSettings, Step):
    """A step that runs one task; each kind of task is a subclass."""

    model_config = Step.model_config

    overrides: dict[str, str] = {}
    """Executor's name to the name of a block of its configuration."""

    def make_node(self, next_node: str, on_failure: str) -> StepNode:
        """Make the node that stands for this step in a graph."""
        return TaskNode(
            name=self.name,
            next_node=next_node,
            on_failure=on_failure,
            overrides=dict(self.overrides),
            catalog=self.catalog.settings() if self.catalog else None,
            policy=self.policy(),
            task=self.make_task(),
        )


class FindPlugin(Protocol):
    """Finds an implementation that is installed."""

    def __call__(self, kind: str, name: str) -> type[object]:
        """Find it; ServiceNotFoundError if there is none."""
        ...


@inject
def find_task(
    command_type: str, *, find: FindPlugin = Provide["find_plugin"]
) -> type[BaseTaskType]:
    """Find the kind of task that has a type name.

    Args:
        command_type: Such as `shell`.
        find: Finds what is installed.

    Returns:
        Its class.

    Raises:
        DefinitionError: If there is none.
    """
    try:
        found = find("tasks", command_type)
    except ServiceNotFoundError as error:
        hint = did_you_mean(command_type, error.known)
        problem = f"there is no command_type {command_type!r}. {hint}"
        raise DefinitionError(problem) from None
    if not issubclass(found, BaseTaskType):
        name = f"{found.__module__}.{found.__qualname__}"
        raise DefinitionError(f"the command_type {command_type!r}, {name}, is no task")
    return found


class Task(TaskStep):
    """Runs a task of any kind that is installed, by the name of its type.

    The settings of the kind can be given here; a function is named with its
    module. It is how YAML describes tasks, and how those of other packages are used.

    Example:
        >>> Task(name="root", command="math.sqrt", returns=["y"]).command_type
        'python'
        >>> Task(name="greet", command_type="shell", command="echo hi").command
        'echo hi'
    """

    model_config = ConfigDict(extra="allow")

    command: str = ""
    command_type: str = defaults.COMMAND_TYPE

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        self.make_task()
        return self

    def make_task(self) -> BaseTaskType:
        """Make the task; its class defines its settings."""
        kind = find_task(self.command_type)
        settings = self.model_extra or {}
        for name in settings:
            if name not in kind.model_fields:
                hint = did_you_mean(name, settings_of(type(self), self.command_type))
                problem = f"step {self.name!r} has no setting {name!r}. {hint}"
                raise DefinitionError(problem)
        try:
            return kind(
                command=self.command,
                returns=as_returns(self.returns),
                secrets=list(self.secrets),
                **settings,
            )
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, it['loc'])) or self.command_type}: {it['msg']}"
                for it in error.errors(include_input=False, include_url=False)
            )
            raise DefinitionError(f"step {self.name!r}: {problems}") from None


_SAID_OTHERWISE = {
    "name",
    "next_node",
    "on_failure",
    "terminate_with_success",
    "terminate_with_failure",
}


def settings_of(step: type[Step], command_type: str = "") -> set[str]:
    """Return the names of the settings that only steps of a kind have.

    Args:
        step: The kind.
        command_type: The kind of task, if it is one.
    """
    names = {*step.model_fields} - _SAID_OTHERWISE
    if issubclass(step, Task):
        kind = find_task(command_type or defaults.COMMAND_TYPE)
        names |= {
            name
            for name, field in kind.model_fields.items()
            if name != "task_type" and not field.exclude
        }
    return names


class PythonTask(PythonSettings, TaskStep):
    """Calls a function, which stays as it is.

    Its arguments are parameters of the same names; what it returns becomes the
    parameters that `returns` declares. Any callable will do: functions of the script
    that runs, lambdas, closures, partials, methods. The step is named after its
    function, unless it is given a name; a function that is annotated to return a
    `TypedDict`, a `NamedTuple`, a dataclass or a model needs no `returns`.

    Example:
        >>> def fit(rows: list[float]) -> float:
        ...     return sum(rows) / len(rows)
        >>> step = PythonTask(function=fit, returns=["mean"])
        >>> step.name, step.command_type
        ('fit', 'python')
    """

    name: str = ""
    """Unique within its pipeline; that of the function, if not given."""

    @classmethod
    def _default_name(cls, settings: Mapping[str, object]) -> str:
        function = settings.get("function")
        while isinstance(function, partial):
            function = function.func
        name = getattr(function, "__name__", "")
        if name == "<lambda>":
            raise ValueError("a lambda has no name; give the step one: name=...")
        if not name and callable(function):
            kind = type(function).__qualname__
            raise ValueError(f"an object of {kind} has no name; give one: name=...")
        return str(name)


class AsyncPythonTask(AsyncPythonSettings, PythonTask):
    """Calls a coroutine function, or a generator that streams events.

    Each mapping with a `type` that the generator yields is an event, which
    `execute_streaming` yields. The one whose type is `stream_end_type` has the values
    that `returns` declares, by name.

    Example:
        >>> async def answer(question: str):
        ...     for word in ("forty", "two"):
        ...         yield {"type": "word", "word": word}
        ...     yield {"type": "done", "text": "forty two"}
        >>> AsyncPythonTask(name="a", function=answer, returns=["text"]).command_type
        'async-python'
    """


class ShellTask(ShellSettings, TaskStep):
    """Runs a command with `/bin/sh`.

    Parameters are variables of its environment: text as it is, everything else as JSON.
    What it returns are variables that it exports.

    Example:
        >>> count = "export lines=$(wc -l < data.csv)"
        >>> ShellTask(name="count", command=count, returns=["lines"]).command_type
        'shell'
    """


class NotebookTask(NotebookSettings, TaskStep):
    """Runs a notebook, once, in a kernel of its own.

    Parameters are variables, set in a cell after the one tagged `parameters`; what it
    returns are variables that it has at its end. The notebook with its outputs goes to
    the catalog. The step is named after the notebook, unless it is given a name.

    Example:
        >>> report = NotebookTask(notebook="reports/daily.ipynb")
        >>> report.name, report.command_type
        ('daily', 'notebook')
    """

    name: str = ""
    """Unique within its pipeline; that of the notebook, if not given."""

    @classmethod
    def _default_name(cls, settings: Mapping[str, object]) -> str:
        return PurePath(str(settings.get("notebook", ""))).stem


class Success(BaseModel):
    """Describes the node at which a pipeline succeeds; every pipeline has one.

    Pipelines of 0.50 may name it; in others it is added.

    Example:
        >>> Success().name
        'success'
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str = "success"


class Fail(BaseModel):
    """Describes the node at which a pipeline fails; every pipeline has one.

    Pipelines of 0.50 may name it; in others it is added.

    Example:
        >>> Fail().name
        'fail'
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str = "fail"
