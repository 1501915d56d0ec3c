"""The types of items of lists, and of what a reducer makes of values."""

import inspect
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, Union

from runnable.parameters.binding import annotations_of
from runnable.parameters.reducers import Reduce, reducing_function, takes_list
from runnable.parameters.value_types import ValueType

_LISTS = (list, tuple, set, frozenset, Sequence)


def item_type(kind: ValueType) -> ValueType | None:
    """Return the type of the items of a list; None if it is not known.

    Args:
        kind: The type of the list.

    Example:
        >>> item_type(ValueType(list[int]))
        ValueType(annotation=<class 'int'>, is_object=False)
    """
    arguments = typing.get_args(kind.annotation)
    if typing.get_origin(kind.annotation) not in _LISTS or not arguments:
        return None
    several = tuple(it for it in arguments if it is not ...)
    # Items are always given as JSON.
    return ValueType(Union[several])  # noqa: UP007 - made at run time


def reduced_types(
    reduce: Reduce | None, kind: ValueType | None
) -> tuple[ValueType | None, Any, ValueType | None]:
    """Return the types of what a reducer is given, must be given, and makes.

    Args:
        reduce: Makes one value of many; None for their list.
        kind: The type of each value.

    Returns:
        None for each that is not known.

    Example:
        >>> str(reduced_types(sorted, ValueType(int))[2])
        'list[int]'
    """
    if reduce is None or reduce in {list, sorted}:
        return None, None, _list_of(kind)
    if reduce in {max, min}:
        return None, None, kind
    if reduce in {len, any, all}:
        return None, None, ValueType(int if reduce is len else bool)
    if reduce is sum:
        return kind, float, kind
    function = reducing_function(reduce)
    return _of_function(function, kind) if function else (None, None, None)


def _list_of(kind: ValueType | None) -> ValueType | None:
    if kind is None or kind.is_object:
        return None
    return ValueType(types.GenericAlias(list, (kind.annotation,)))


def _of_function(
    function: Callable[..., object], kind: ValueType | None
) -> tuple[ValueType | None, Any, ValueType | None]:
    annotations = annotations_of(function)
    returned = annotations.get("return")
    made = ValueType(returned) if returned is not None else None
    try:
        parameters = [*inspect.signature(function).parameters.values()]
    except ValueError:
        return None, None, made
    positional = [
        it
        for it in parameters
        if it.kind in {it.POSITIONAL_ONLY, it.POSITIONAL_OR_KEYWORD, it.VAR_POSITIONAL}
    ]
    if takes_list(function):
        (needed,) = (it for it in positional if it.default is it.empty)
        return _list_of(kind), annotations.get(needed.name), made
    # Any number of values come after those that have a name.
    first = sorted(positional, key=lambda it: it.kind is not it.VAR_POSITIONAL)[:1]
    return kind, annotations.get(first[0].name) if first else None, made
