"""The kinds of steps that an author writes."""

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from runnable.graph import CatalogSettings, StepNode, StubNode, TaskNode
from runnable.sdk.pipeline import Step
from runnable.tasks import BaseTaskType, PythonTaskType, TaskReturns, as_returns


class Catalog(BaseModel):
    """Which files a step fetches before it runs, and keeps afterwards.

    Example:
        >>> Catalog(put=["*.csv"]).store_copy
        True
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)

    get: list[str] = []
    """Glob patterns, relative to the catalog of the run."""
    put: list[str] = []
    """Glob patterns, relative to the compute folder."""
    store_copy: bool = True
    """Whether the files are copied, or only recorded."""

    def settings(self) -> CatalogSettings:
        """Return the description that graphs use."""
        return CatalogSettings(tuple(self.get), tuple(self.put), self.store_copy)


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


class TaskStep(Step):
    """A step that runs one task; each kind of task is a subclass."""

    catalog: Catalog | None = None
    overrides: dict[str, str] = {}
    """Executor's name to the name of a block of its configuration."""
    returns: Annotated[Sequence[str | TaskReturns], AfterValidator(as_returns)] = []
    """Names of what the task returns, or `json`, `pickled` and `metric` of them."""
    secrets: list[str] = []
    """Names of the secrets that this task, and nobody else, may read."""

    def make_task(self) -> BaseTaskType:
        """Make the task that this step runs."""
        raise NotImplementedError

    @property
    def command_type(self) -> str:
        """The kind of task."""
        return self.make_task().task_type

    @property
    def command(self) -> str:
        """What is run, as text."""
        return self.make_task().command

    def make_node(self, next_node: str, on_failure: str) -> StepNode:
        """Make the node that stands for this step in a graph."""
        return TaskNode(
            name=self.name,
            next_node=next_node,
            on_failure=on_failure,
            overrides=dict(self.overrides),
            catalog=self.catalog.settings() if self.catalog else None,
            task=self.make_task(),
        )


class PythonTask(TaskStep):
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

    function: Callable[..., object]

    def make_task(self) -> BaseTaskType:
        """Make the task that this step runs."""
        return PythonTaskType(
            function=self.function,
            returns=as_returns(self.returns),
            secrets=list(self.secrets),
        )


class Success(BaseModel):
    """Describes the node at which a pipeline succeeds; every pipeline has one."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str = "success"


class Fail(BaseModel):
    """Describes the node at which a pipeline fails; every pipeline has one."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    name: str = "fail"
