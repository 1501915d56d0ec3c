"""Declared return values of tasks."""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict

from runnable.errors import DefinitionError

Kind = Literal["json", "object", "metric"]


class TaskReturns(BaseModel):
    """The name and the kind of one returned value."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    kind: Kind = "json"
    """Whether it is JSON, a metric, or an object that is pickled."""


def json(name: str) -> TaskReturns:
    """Declare that a value is returned as JSON; the same as its bare name.

    Args:
        name: The name of the parameter that it becomes.

    Example:
        >>> json("rows").kind
        'json'
    """
    return TaskReturns(name=name, kind="json")


def pickled(name: str) -> TaskReturns:
    """Declare that a value is returned as an object, which goes to the catalog.

    Args:
        name: The name of the parameter that it becomes.

    Example:
        >>> pickled("model").kind
        'object'
    """
    return TaskReturns(name=name, kind="object")


def metric(name: str) -> TaskReturns:
    """Declare that a returned JSON value measures how well the run did.

    Args:
        name: The name of the parameter and of the metric.

    Example:
        >>> metric("accuracy").kind
        'metric'
    """
    return TaskReturns(name=name, kind="metric")


def as_returns(declared: Iterable[str | TaskReturns]) -> list[TaskReturns]:
    """Turn declarations of returned values into one form.

    Args:
        declared: Bare names, which declare JSON, or declarations.

    Returns:
        A declaration for each, in order.

    Raises:
        DefinitionError: If a name is declared twice.

    Example:
        >>> [one.kind for one in as_returns(["rows", metric("accuracy")])]
        ['json', 'metric']
    """
    returns = [json(one) if isinstance(one, str) else one for one in declared]
    names = [one.name for one in returns]
    for name in names:
        if names.count(name) > 1:
            raise DefinitionError(f"the returned name {name!r} is declared twice")
    return returns
