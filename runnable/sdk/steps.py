"""The kinds of steps that an author writes."""

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from runnable.graph import (
    Backoff,
    CatalogSettings,
    Policy,
    StepNode,
    StubNode,
    TaskNode,
)
from runnable.sdk.pipeline import Step
from runnable.tasks import (
    AsyncPythonTaskType,
    BaseTaskType,
    PythonTaskType,
    ShellTaskType,
    TaskReturns,
    as_returns,
)


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


class TaskSettings(BaseModel):
    """What can be said of a task, whether it is a step or a job."""

    model_config = ConfigDict(defer_build=True)

    catalog: Catalog | None = None
    returns: Annotated[Sequence[str | TaskReturns], AfterValidator(as_returns)] = []
    """Names of what the task returns, or `json`, `pickled` and `metric` of them."""
    secrets: list[str] = []
    """Names of the secrets that this task, and nobody else, may read."""
    retries: int = Field(default=0, ge=0)
    """How often it is tried again when it fails; each try is an attempt of its own."""
    retry_delay: Annotated[float, Field(ge=0)] | Backoff = 0.0
    """Seconds to wait before it is tried again, or a `Backoff`."""
    timeout_seconds: Annotated[float, Field(gt=0)] | None = None
    """How long each try may take; any time if None."""

    def policy(self) -> Policy:
        """Return how often it is tried, and how long a try may take."""
        delay = self.retry_delay
        if not isinstance(delay, Backoff):
            delay = Backoff(delay, maximum=max(delay, Backoff().maximum))
        return Policy(
            max_attempts=self.retries + 1,
            delay=delay,
            timeout_seconds=self.timeout_seconds,
        )


class TaskStep(TaskSettings, Step):
    """A step that runs one task; each kind of task is a subclass."""

    model_config = Step.model_config

    overrides: dict[str, str] = {}
    """Executor's name to the name of a block of its configuration."""

    def make_task(self) -> BaseTaskType:
        """Make the task that this step runs."""
        raise NotImplementedError

    @property
    def command_type(self) -> str:
        """The kind of task."""
        return self.make_task().task_type

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

    @property
    def command(self) -> str:
        """The dotted name of the function."""
        return self.make_task().command

    def make_task(self) -> BaseTaskType:
        """Make the task that this step runs."""
        return PythonTaskType(
            function=self.function,
            returns=as_returns(self.returns),
            secrets=list(self.secrets),
        )


class AsyncPythonTask(PythonTask):
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

    stream_end_type: str = "done"

    def make_task(self) -> BaseTaskType:
        """Make the task that this step runs."""
        return AsyncPythonTaskType(
            function=self.function,
            returns=as_returns(self.returns),
            secrets=list(self.secrets),
            stream_end_type=self.stream_end_type,
        )


class ShellTask(TaskStep):
    """Runs a command with `/bin/sh`.

    Parameters are variables of its environment: text as it is, everything else as JSON.
    What it returns are variables that it exports.

    Example:
        >>> count = "export lines=$(wc -l < data.csv)"
        >>> ShellTask(name="count", command=count, returns=["lines"]).command_type
        'shell'
    """

    command: str

    def make_task(self) -> BaseTaskType:
        """Make the task that this step runs."""
        return ShellTaskType(
            command=self.command,
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
