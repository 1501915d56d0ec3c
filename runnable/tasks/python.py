"""Python functions as tasks."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

from pydantic import Field, JsonValue

from runnable.errors import DefinitionError, RunnableError, did_you_mean
from runnable.parameters import Binder, Offer, identity_with_helpers, name_of
from runnable.parameters.records import fields_of, may_be_absent, values_of
from runnable.parameters.value_types import ValueType, returned_types, type_text
from runnable.tasks.base import BaseTaskType, Call


class PythonTaskType(BaseTaskType):
    """Calls a function with the parameters that its signature asks for.

    Example:
        >>> task = PythonTaskType(command="math.sqrt", returns=["root"])
        >>> task.required()
        ['x']
    """

    task_type: str = "python"
    function: Callable[..., object] | None = Field(default=None, exclude=True)
    """The function itself; imported by the dotted name in `command` if not given."""
    returns_record: bool = Field(default=False, exclude=True)
    """Whether it returns one record, whose fields are what `returns` declares."""
    stream_end_type: str = "done"
    """The `type` of the event in which a generator yields what it returns."""

    def model_post_init(self, context: object, /) -> None:
        """Name the command after the function, if there is one."""
        super().model_post_init(context)
        if self.function is not None and not self.command:
            self.command = name_of(self.function)

    @cached_property
    def resolved(self) -> Callable[..., object]:
        """The function to call."""
        return self.function or _import(self.command)

    @cached_property
    def binder(self) -> Binder:
        """How the function is given its parameters."""
        try:
            return Binder(self.resolved)
        except ValueError as error:
            problem = (
                f"{self.command} has no signature that can be read; wrap it in a "
                "function or lambda of your own"
            )
            raise DefinitionError(problem) from error

    @cached_property
    def _optional(self) -> frozenset[str]:
        """The fields that a record need not have."""
        return may_be_absent(self.binder.returned)

    def bind(self, offers: Mapping[str, Offer]) -> Call:
        """Choose and convert the arguments of the function."""
        args, kwargs = self.binder.bind(offers)
        return Call(self.resolved, args, kwargs, stream_end_type=self.stream_end_type)

    def values_of(self, result: object) -> tuple[object, ...]:
        """Return the values that a call returned; of a record, those of its fields."""
        if not self.returns_record:
            return super().values_of(result)
        names = [declared.name for declared in self.returns]
        return values_of(self.command, result, names, self._optional)

    def check_given(self, offers: Mapping[str, Offer]) -> list[RunnableError]:
        """Check whether values can become arguments of the function."""
        return [*self.binder.problems(offers)]

    def takes(self) -> Mapping[str, object]:
        """Return the annotations of the arguments."""
        return self.binder.takes()

    def names_taken(self) -> AbstractSet[str] | None:
        """Return the names of what may become an argument, or a part of one."""
        return self.binder.names_taken()

    def gives(self) -> Mapping[str, ValueType | None]:
        """Return the types that the annotation of the function names."""
        names = self.provides()
        kinds = self._returned() or [None] * len(names)
        if len(kinds) != len(names):
            kinds = [None] * len(names)
        return {
            it.name: None if kind is None else ValueType(kind, it.kind == "object")
            for it, kind in zip(self.returns, kinds, strict=True)
        }

    def type_problems(self) -> Iterator[str]:
        """Yield that the function returns more or fewer values than are declared."""
        kinds, names = self._returned(), self.provides()
        if names and kinds is not None and len(kinds) != len(names):
            values = f"{len(kinds)} value" + "s" * (len(kinds) != 1)
            yield (
                f"{self.command}() returns {type_text(self.binder.returned)}, "
                f"{values}, and `returns` declares "
                f"{len(names)}: {', '.join(names)}"
            )

    def _returned(self) -> Sequence[object] | None:
        """Return the annotation of each value that it returns; None if not known."""
        annotation = self.binder.returned
        if self.returns_record:
            return [*fields_of(annotation).values()]
        return returned_types(self.resolved, annotation)

    def identity(self) -> JsonValue:
        """Return also what the function is made of."""
        return {**self.describe(), "function": identity_with_helpers(self.resolved)}

    @property
    def may_return_none(self) -> bool:
        """Whether the annotation of the function says that it may return None."""
        return self.binder.may_return_none

    @property
    def hint(self) -> str:
        """How to hide a parameter that a decorator supplies."""
        return self.binder.hint

    def required(self) -> list[str]:
        """Return the names of the arguments that have no default."""
        return self.binder.required()


class AsyncPythonTaskType(PythonTaskType):
    """Calls a coroutine function, a generator function, or any other."""

    task_type: str = "async-python"

    def describe(self) -> dict[str, JsonValue]:
        """Return what the run log records of this task."""
        return {**super().describe(), "stream_end_type": self.stream_end_type}


def _import(command: str) -> Callable[..., object]:
    module, _, name = command.rpartition(".")
    if not command:
        raise DefinitionError("it needs a `command`: a function, as module.function")
    if not module:
        problem = (
            f"{command!r} names no function; write its module too, module.{command}"
        )
        raise DefinitionError(problem)
    try:
        found: object = getattr(importlib.import_module(module), name)
    except AttributeError as error:
        known = [it for it in vars(sys.modules[module]) if not it.startswith("_")]
        hint = did_you_mean(name, known)
        problem = f"module {module!r} has no function {name!r}. {hint}"
        raise DefinitionError(problem) from error
    except Exception as error:
        # Whatever the user's module raises when it is imported.
        problem = f"there is no function {command!r}: {type(error).__name__}: {error}"
        raise DefinitionError(problem) from error
    if not callable(found):
        raise DefinitionError(
            f"{command!r} is a {type(found).__name__}, not a function"
        )
    return found
