"""The settings of each kind of task, for steps and jobs alike."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    PositiveInt,
    field_validator,
)

from runnable.errors import DefinitionError
from runnable.graph import (
    Backoff,
    Caching,
    CatalogSettings,
    Interrupt,
    Policy,
    Workspace,
    taken,
)
from runnable.sdk.definition import Definition
from runnable.tasks import (
    AsyncPythonTaskType,
    BaseTaskType,
    NotebookTaskType,
    PythonTaskType,
    ShellTaskType,
    TaskReturns,
    as_returns,
)
from runnable.tasks.named_returns import named_returns


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


class TaskSettings(Definition):
    """The settings that every task has, as a step and as a job."""

    model_config = ConfigDict(arbitrary_types_allowed=True, defer_build=True)

    catalog: Catalog | None = None
    """The files that it gets before it runs, and puts afterwards."""
    returns: Annotated[Sequence[str | TaskReturns], AfterValidator(as_returns)] = []
    """Names of what the task returns, or `json`, `pickled` and `metric` of them."""
    secrets: list[str] = []
    """Names of the secrets that this task alone may read."""
    retries: int = Field(default=0, ge=0)
    """How often it is tried again when it fails; each try is an attempt of its own."""
    retry_delay: Annotated[float, Field(ge=0)] | Backoff = 0.0
    """Seconds to wait before it is tried again, or a `Backoff`."""
    timeout_seconds: Annotated[float, Field(gt=0)] | None = None
    """How long each try may take; any time if None."""
    workspace: Workspace | None = None
    """Where it works, and where the catalog gets files and puts them from: `shared`,
    in the working directory; `run`, in a folder of the run, which
    `runnable.workdir()` returns; `isolated`, in a process and a working directory of
    its own. The executor's choice if None."""

    interrupt: Interrupt | None = None
    """How a function in a thread is interrupted when `timeout_seconds` are over, or
    the run is cancelled: an exception is raised in it (`raise`), or it is left to end
    by itself (`abandon`); the container's choice if None, `raise` by default."""
    cache: Caching = False
    """Reuse earlier results if the task would do the same again: the source of
    its function, what it is given and the files that it gets are the same. A function
    gets the same arguments as the task's, and makes the key from them."""
    limits: Annotated[
        Mapping[str, PositiveInt] | Sequence[str] | str, PlainValidator(taken)
    ] = {}
    """What the task takes that is scarce, and how much of it, while it is tried:
    `["gpu"]`, or `{"gpu": 2}`. The container or the configuration says how much there
    is; tasks wait, first come first served."""

    @field_validator("cache")
    @classmethod
    def _has_arguments(cls, cache: Caching) -> Caching:
        if callable(cache) and "function" not in cls.model_fields:
            raise DefinitionError("cache: only functions have arguments; use True")
        return cache

    def policy(self) -> Policy:
        """Return how it is tried."""
        delay = self.retry_delay
        if not isinstance(delay, Backoff):
            delay = Backoff(delay, maximum=max(delay, Backoff().maximum))
        return Policy(
            max_attempts=self.retries + 1,
            delay=delay,
            timeout_seconds=self.timeout_seconds,
            workspace=self.workspace,
            cache=self.cache,
            interrupt=self.interrupt,
            limits=tuple(sorted(taken(self.limits).items())),
        )

    def make_task(self) -> BaseTaskType:
        """Make the task that is run; each kind of task has settings of its own."""
        raise NotImplementedError


class _OfOneKind(TaskSettings):
    """Settings of a kind of task that has a class of its own."""

    @property
    def command_type(self) -> str:
        """The kind of task."""
        return self.make_task().task_type


class PythonSettings(_OfOneKind):
    """Calls a function."""

    function: Callable[..., object]

    @property
    def command(self) -> str:
        """The dotted name of the function."""
        return self.make_task().command

    def make_task(self) -> BaseTaskType:
        """Make the task that calls the function."""
        return PythonTaskType(**self._settings())

    def _settings(self) -> dict[str, Any]:
        returns = as_returns(self.returns)
        # An empty list that is given declares that nothing is returned.
        is_said = "returns" in self.model_fields_set
        named = [] if is_said else named_returns(self.function)
        return {
            "function": self.function,
            "returns": returns or named,
            "returns_record": bool(named),
            "secrets": list(self.secrets),
        }


class AsyncPythonSettings(PythonSettings):
    """Calls a coroutine function, or a generator."""

    stream_end_type: str = "done"
    """The `type` of the event that has what a generator returns."""

    def make_task(self) -> BaseTaskType:
        """Make the task that calls the function."""
        return AsyncPythonTaskType(
            **self._settings(), stream_end_type=self.stream_end_type
        )


class ShellSettings(_OfOneKind):
    """Runs a command."""

    command: str

    def make_task(self) -> BaseTaskType:
        """Make the task that runs the command."""
        return ShellTaskType(
            command=self.command,
            returns=as_returns(self.returns),
            secrets=list(self.secrets),
        )


class NotebookSettings(_OfOneKind):
    """Runs a notebook."""

    notebook: str
    """Its path, relative to the working directory; ends with `.ipynb`."""
    optional_ploomber_args: Mapping[str, object] | None = None
    """As in version 0.50: `parameters` and `cwd`; other arguments of that version
    have no effect."""

    @property
    def command(self) -> str:
        """The path of the notebook."""
        return self.notebook

    def make_task(self) -> BaseTaskType:
        """Make the task that runs the notebook."""
        return NotebookTaskType(
            command=self.notebook,
            returns=as_returns(self.returns),
            secrets=list(self.secrets),
            optional_ploomber_args=dict(self.optional_ploomber_args or {}),
        )
