"""Python functions as tasks."""

import importlib
from collections.abc import Callable, Mapping

from pydantic import Field, PrivateAttr

from runnable.exceptions import DefinitionError
from runnable.parameters import Binder, Offer, name_of
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

    _resolved: Callable[..., object] | None = PrivateAttr(default=None)
    _binder: Binder | None = PrivateAttr(default=None)

    def model_post_init(self, context: object, /) -> None:
        """Name the command after the function, if there is one."""
        super().model_post_init(context)
        if self.function is not None and not self.command:
            self.command = name_of(self.function)

    @property
    def resolved(self) -> Callable[..., object]:
        """The function to call."""
        if self._resolved is None:
            self._resolved = self.function or _import(self.command)
        return self._resolved

    def _bind_with(self) -> Binder:
        if self._binder is None:
            try:
                self._binder = Binder(self.resolved)
            except ValueError as error:
                problem = f"{self.command} has no signature that can be read: {error}"
                raise DefinitionError(problem) from error
        return self._binder

    def bind(self, offers: Mapping[str, Offer]) -> Call:
        """Choose and convert the arguments of the function."""
        args, kwargs = self._bind_with().bind(offers)
        return Call(self.resolved, args, kwargs)

    def required(self) -> list[str]:
        """Return the names of the arguments that have no default."""
        return self._bind_with().required()


def _import(command: str) -> Callable[..., object]:
    module, _, name = command.rpartition(".")
    try:
        found: object = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        problem = f"there is no function {command!r}: {error}"
        raise DefinitionError(problem) from error
    if not callable(found):
        raise DefinitionError(
            f"{command!r} is a {type(found).__name__}, not a function"
        )
    return found
