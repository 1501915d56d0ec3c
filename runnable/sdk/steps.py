"""The kinds of steps that an author writes."""

from pydantic import BaseModel, ConfigDict

from runnable.graph import StepNode, StubNode, TaskNode
from runnable.sdk.pipeline import Step
from runnable.sdk.settings import (
    AsyncPythonSettings,
    Catalog,
    NotebookSettings,
    PythonSettings,
    ShellSettings,
    TaskSettings,
)


class Stub(Step):
    """Does nothing, and succeeds: stands in for a step that is still to be written.

    Any other keyword is ignored, so that a task can be turned into a stub by its
    class's name alone.

    Example:
        >>> Stub(name="later", function=print).as_pipeline().return_dag().start_at
        'later'
    """

    model_config = ConfigDict(extra="ignore")

    catalog: Catalog | None = None

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


class PythonTask(PythonSettings, TaskStep):
    """Calls a function, which stays as it is.

    Its arguments are parameters of the same names; what it returns becomes the
    parameters that `returns` declares. Any callable will do: functions of the script
    that runs, lambdas, closures, partials, methods.

    Example:
        >>> def fit(rows: list[float]) -> float:
        ...     return sum(rows) / len(rows)
        >>> PythonTask(name="fit", function=fit, returns=["mean"]).command_type
        'python'
    """


class AsyncPythonTask(AsyncPythonSettings, PythonTask):
    """Calls a coroutine function, or a generator that streams events.

    Each mapping with a `type` that the generator yields is an event for whoever
    consumes `execute_streaming`. The one whose type is `stream_end_type` has the values
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
    the catalog.

    Example:
        >>> report = NotebookTask(name="report", notebook="report.ipynb")
        >>> report.command_type
        'notebook'
    """


class Success(BaseModel):
    """Describes the node at which a pipeline succeeds; every pipeline has one."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str = "success"


class Fail(BaseModel):
    """Describes the node at which a pipeline fails; every pipeline has one."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str = "fail"
