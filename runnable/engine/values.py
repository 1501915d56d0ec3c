"""From parameters to arguments, and from what a task returned to parameters."""

from collections.abc import Mapping
from functools import partial

from runnable.datastore import (
    AnyParameter,
    JsonParameter,
    MetricParameter,
    ObjectParameter,
)
from runnable.engine.session import Session
from runnable.exceptions import ReturnsError, ValueNotStorableError
from runnable.parameters import JsonValue, Offer, copy_json, to_json
from runnable.tasks import BaseTaskType, TaskReturns


def json_parameters(values: Mapping[str, object]) -> dict[str, AnyParameter]:
    """Turn initial values into parameters.

    Args:
        values: By name.

    Raises:
        ValueNotStorableError: If one is no JSON; names it.
    """
    for name in values:
        if not isinstance(name, str):
            raise ValueNotStorableError(repr(name), "name", "names are text")
    return {
        name: JsonParameter.model_construct(value=to_json(value, name))
        for name, value in values.items()
    }


def offers(
    parameters: Mapping[str, AnyParameter], session: Session
) -> dict[str, Offer]:
    """Offer every parameter of a scope; objects are loaded when they are asked for."""
    return {
        name: (
            Offer(partial(session.loader, parameter), is_object=True)
            if isinstance(parameter, ObjectParameter)
            # A copy: what a task changes in place is its own.
            else Offer(partial(copy_json, parameter.value))
        )
        for name, parameter in parameters.items()
    }


def outputs(
    task: BaseTaskType, result: object, path: str, session: Session
) -> dict[str, AnyParameter]:
    """Turn what a task returned into the parameters that it declares.

    Args:
        task: The task.
        result: What its call returned: one value, or a tuple of several.
        path: The path of the step, under which objects are stored.
        session: The run.

    Returns:
        Parameters by name; objects are stored already.

    Raises:
        ReturnsError: If there are more or fewer values than declared.
        ValueNotStorableError: If a value is not what was declared.
    """
    declared = task.returns
    if not declared:
        return {}
    values = result if isinstance(result, tuple) else (result,)
    if len(values) != len(declared):
        names = [one.name for one in declared]
        raise ReturnsError(task.command, names, len(values))
    return {
        one.name: _parameter(one, value, path, session)
        for one, value in zip(declared, values, strict=True)
    }


def _parameter(
    declared: TaskReturns, value: object, path: str, session: Session
) -> AnyParameter:
    if declared.kind == "object":
        return _store(declared.name, value, path, session)
    plain: JsonValue = to_json(value, declared.name)
    if declared.kind == "metric":
        return MetricParameter.model_construct(value=plain)
    return JsonParameter.model_construct(value=plain)


def _store(name: str, value: object, path: str, session: Session) -> ObjectParameter:
    if session.objects is not None:
        key = f"{path}/{name}"
        session.objects[key] = value
        return ObjectParameter(value=name, key=key)
    pickler = session.services.pickler
    stored = session.services.catalog.put_object(
        path,
        f"{name}{pickler.extension}",
        partial(pickler.dump, value),
        run_id=session.context.run_id,
    )
    return ObjectParameter(
        value=name,
        key=stored.key,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
    )
