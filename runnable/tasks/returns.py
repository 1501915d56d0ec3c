"""What a task declares that it returns."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["json", "object", "metric"]


class TaskReturns(BaseModel):
    """The name and the kind of one returned value."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    name: str
    kind: Kind = "json"


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
