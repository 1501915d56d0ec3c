"""Base class of task types: a command, secrets, returns, and the call to make."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, NamedTuple, Protocol, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue

from runnable.errors import RunnableError
from runnable.parameters import Offer
from runnable.parameters.value_types import ValueType
from runnable.scope import StepScope
from runnable.scope.injection import Provide, inject
from runnable.tasks.returns import TaskReturns, as_returns

if TYPE_CHECKING:
    # Whoever only defines a pipeline needs none of what runs it.
    from runnable.context import JobContext, PipelineContext
    from runnable.events import Pause


class Items(Protocol):
    """Receives the items of a generator, in the thread or on the loop where it runs."""

    def begin(self) -> None:
        """Take note that a generator runs."""

    def take(self, item: object) -> "Pause | None":
        """Take an item; return what to wait for before the next one, if anything."""


class Call(NamedTuple):
    """One call that a runtime is to make."""

    function: Callable[..., object]
    args: Sequence[object] = ()
    kwargs: Mapping[str, object] = MappingProxyType({})
    items: "Items | None" = None
    """Gets the items of a generator; if None, they are dropped."""
    stream_end_type: str = "done"
    """The `type` of the item that ends a generator, and has what it returns."""
    abandoned: "Callable[[Future[object]], object] | None" = None
    """If given, a call in a thread that is to end is left to end by itself, and this is
    called with its future. If None, an exception is raised in its thread."""
    stop: Callable[[], object] | None = None
    """Ends the call from another thread, if it is not enough to raise an exception in
    its own: it makes the function raise or return soon."""
    given: Collection[str] | None = None
    """Names of the parameters that it is given; all that were loaded if None."""


class BaseTaskType(BaseModel):
    """A kind of task; a kind of your own defines `bind`.

    Its fields are the settings that a task of this kind may have.
    """

    model_config = ConfigDict(
        extra="forbid", arbitrary_types_allowed=True, defer_build=True
    )

    task_type: str = ""
    """The type name that this kind is found by; `command_type` in YAML."""
    command: str = ""
    """The command as text: a dotted function, a shell command, a notebook."""
    secrets: list[str] = []
    """Names of the secrets that this task alone may read."""
    returns: Annotated[list[TaskReturns], BeforeValidator(as_returns)] = []

    @property
    def _context(self) -> "PipelineContext | JobContext":
        """The context of the current run; RuntimeError outside a run."""
        return self._injected_context()

    @inject
    def _injected_context(
        self, *, run_context: "PipelineContext | JobContext" = Provide["run_context"]
    ) -> "PipelineContext | JobContext":
        return run_context

    @property
    def _folder(self) -> str:
        """The folder of the run, if the step works there; else empty."""
        return self._injected_folder()

    @inject
    def _injected_folder(self, *, step: StepScope | None = Provide["step"]) -> str:
        return step.folder if step is not None else ""

    def bind(self, offers: Mapping[str, Offer]) -> Call:
        """Return the call that runs this task.

        Args:
            offers: The parameters that the task may use, by name.

        Returns:
            The call; what it returns is matched with `returns`.
        """
        del offers
        raise NotImplementedError(
            f"{type(self).__qualname__} defines no bind(), so it cannot be run"
        )

    @cached_property
    def returns_objects(self) -> bool:
        """Whether it returns anything that is pickled."""
        return any(declared.kind == "object" for declared in self.returns)

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of this task."""
        return {
            "command_type": self.task_type,
            "command": self.command,
            "returns": [{"name": it.name, "kind": it.kind} for it in self.returns],
            "secrets": list(self.secrets),
        }

    def identity(self) -> JsonValue:
        """Return what changes whenever the task would do something else."""
        return self.describe()

    def values_of(self, result: object) -> tuple[object, ...]:
        """Return the values that a call returned, one for each that is declared.

        Args:
            result: What the call returned: one value, or a tuple of several.
        """
        if isinstance(result, tuple):
            return cast("tuple[object, ...]", result)
        return (result,)

    def check(self) -> None:
        """Refuse a task that cannot run, as far as can be seen before it does.

        Raises:
            DefinitionError: If something that it runs is not there.
        """

    def check_given(self, offers: Mapping[str, Offer]) -> list[RunnableError]:
        """Check values that the task will be given, without running it.

        Args:
            offers: Some of its parameters, by name; others are not known yet.

        Returns:
            An error for each value that it cannot use.
        """
        del offers
        return []

    def takes(self) -> Mapping[str, object]:
        """Return the annotations of its parameters, by name; None if not known."""
        return {}

    def names_taken(self) -> AbstractSet[str] | None:
        """Return the names of the parameters that it may use; None if any."""
        return None

    def gives(self) -> Mapping[str, ValueType | None]:
        """Return the types of what it returns, by name; None if not known."""
        return dict.fromkeys(self.provides())

    def type_problems(self) -> Iterator[str]:
        """Yield what is wrong with the types of what it returns."""
        yield from ()

    def provides(self) -> list[str]:
        """Return the names of the parameters that this task returns."""
        return [declared.name for declared in self.returns]

    @property
    def may_return_none(self) -> bool:
        """Whether None is what the author expects for the one thing that it returns."""
        return True

    @property
    def hint(self) -> str:
        """Advice for a task that does not need a parameter that it seems to need."""
        return ""

    def required(self) -> list[str]:
        """Return the names of the parameters that it cannot do without."""
        return []
