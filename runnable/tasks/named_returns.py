"""Declare what a function returns by its annotation."""

import typing
from collections.abc import Callable
from typing import Any

from runnable.parameters.binding import annotations_of
from runnable.parameters.records import fields_of, is_json
from runnable.tasks.returns import TaskReturns, json, metric, pickled


def named_returns(function: Callable[..., object]) -> list[TaskReturns]:
    """Return a declaration for each field of the record that a function returns.

    A field is returned as JSON, or as an object if it cannot be JSON, unless its
    annotation says what it is: `Annotated[float, metric]`.

    Args:
        function: Any callable.

    Returns:
        None if its annotation is no record: an empty list.

    Example:
        >>> from typing import Annotated, TypedDict
        >>> class Fitted(TypedDict):
        ...     model: slice
        ...     accuracy: Annotated[float, metric]
        >>> def fit(rows: list[int]) -> Fitted: ...
        >>> [(it.name, it.kind) for it in named_returns(fit)]
        [('model', 'object'), ('accuracy', 'metric')]
    """
    fields = fields_of(annotations_of(function).get("return"))
    return [_declared(name, hint) for name, hint in fields.items()]


def _declared(name: str, hint: Any) -> TaskReturns:  # annotations have no common type
    is_annotated = typing.get_origin(hint) is typing.Annotated
    said = {id(it) for it in typing.get_args(hint)[1:]} if is_annotated else set[int]()
    for declare in (json, metric, pickled):
        if id(declare) in said:
            return declare(name)
    return json(name) if is_json(hint) else pickled(name)
