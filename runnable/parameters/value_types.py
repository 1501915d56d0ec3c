"""The types of what a function returns, as far as its annotation says."""

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple, Union

from typing_extensions import is_protocol

from runnable.parameters.binding import is_decorated
from runnable.parameters.records import fields_of

_WRAPPERS = ("Coroutine", "Awaitable", "Generator", "Iterator", "AsyncIterator")
"""Of `collections.abc`: what is returned is not what the step returns."""


class ValueType(NamedTuple):
    """The annotation of a value, and how it is recorded."""

    annotation: Any
    is_object: bool = False
    """Whether it is pickled; JSON otherwise."""

    def __str__(self) -> str:
        """Return the annotation as its author wrote it."""
        return type_text(self.annotation)


def type_text(annotation: Any) -> str:  # annotations have no common type
    """Return an annotation as its author wrote it.

    Args:
        annotation: Any.

    Example:
        >>> type_text(list[int]), type_text(int)
        ('list[int]', 'int')
    """
    return inspect.formatannotation(annotation)


def returned_types(
    function: Callable[..., object], annotation: Any
) -> Sequence[Any] | None:
    """Return the annotation of each value that a function returns.

    Args:
        function: The function.
        annotation: The annotation of what it returns.

    Returns:
        One for each element of a tuple; else the one annotation. None if it is not
        known how many there are.

    Example:
        >>> def split(rows: list[int]) -> tuple[int, str]: ...
        >>> returned_types(split, tuple[int, str])
        (<class 'int'>, <class 'str'>)
        >>> returned_types(split, tuple) is None
        True
    """
    # What a decorator returns is not what the function within it is annotated with.
    if is_decorated(function) or _is_generator(function):
        return None
    return _each(annotation)


def _is_generator(function: Callable[..., object]) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def _each(annotation: Any) -> Sequence[Any] | None:
    origin = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if origin is Annotated:
        within = _each(arguments[0])
        return within if within is None or len(within) != 1 else [annotation]
    if origin in {Union, types.UnionType}:
        several = [_each(it) for it in arguments]
        are_single = all(it is not None and len(it) == 1 for it in several)
        return [annotation] if are_single else None
    kind = origin or annotation
    if kind is tuple:
        is_known = arguments and all(map(_is_one_type, arguments))
        return arguments if is_known else None
    if not inspect.isclass(kind) or _may_be_tuple(kind):
        return [*fields_of(kind).values()] or None if _is_tuple(kind) else None
    return [annotation]


def _is_one_type(annotation: object) -> bool:
    return annotation is not ... and typing.get_origin(annotation) is not typing.Unpack


def _is_tuple(kind: object) -> bool:
    return inspect.isclass(kind) and issubclass(kind, tuple)


def _may_be_tuple(kind: type) -> bool:
    """Return True if a class is a tuple, or may have one for its instance."""
    if kind is Any or kind.__name__ in _WRAPPERS or is_protocol(kind):
        return True
    try:
        return issubclass(tuple, kind) or issubclass(kind, tuple)
    except TypeError:  # of a class that is none, such as a TypedDict
        return False
