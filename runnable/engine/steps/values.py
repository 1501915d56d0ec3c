"""From parameters to arguments, and from what a task returned to parameters."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import BinaryIO, TypeVar, cast, overload

from runnable.datastore import (
    AnyParameter,
    CatalogLoader,
    ObjectParameter,
)
from runnable.datastore.errors import ObjectNotPicklableError
from runnable.engine.environment import RunEnvironment
from runnable.engine.parameter_scope import ParameterScope
from runnable.errors import RunnableError
from runnable.graph import Reducer
from runnable.journal import StoredObject, is_longer, json_parameter, metric_parameter
from runnable.parameters import JsonValue, Offer, copy_json, to_json
from runnable.parameters.errors import (
    ReductionError,
    ReturnsError,
    ValueNotStorableError,
    ValueTooLongError,
)
from runnable.pickler import BasePickler
from runnable.tasks import BaseTaskType, TaskReturns
from runnable.tasks.returns import Kind

T = TypeVar("T")
WARNED_CHARACTERS = 1_000_000
"""Returned values whose JSON is longer are warned of."""
MOST_CHARACTERS = 50_000_000
"""Returned values whose JSON is longer are refused: they would be held several times in
the memory of each process that reads the run, and be parsed whole each time."""
_SHORT = (bool, int, float, type(None))
NO_TEXTS: Mapping[str, JsonValue] = MappingProxyType({})


def json_parameters(
    values: Mapping[str, object], texts: Mapping[str, JsonValue] = NO_TEXTS
) -> dict[str, AnyParameter]:
    """Turn initial values into parameters.

    Args:
        values: By name.
        texts: Those that were written as text, as they were written.

    Raises:
        ValueNotStorableError: If one is no JSON; names it.
    """
    for name in values:
        if not isinstance(cast("object", name), str):
            raise ValueNotStorableError(repr(name), "name", "names are text")
    made: dict[str, AnyParameter] = {}
    for name, value in values.items():
        plain = to_json(value, name)
        # Text that is its own value needs no copy.
        text = None if texts.get(name) == plain else texts.get(name)
        made[name] = json_parameter(plain, text)
    return made


class Offers(Mapping[str, Offer]):
    """Every parameter that a scope finds; what is asked for is loaded then.

    Args:
        scope: The scope.
        loader: Loads objects.
        read: Gets the names of those that are loaded.
    """

    def __init__(
        self, scope: ParameterScope, loader: CatalogLoader, read: list[str]
    ) -> None:
        self._scope = scope
        self._loader = loader
        self._read = read

    def __getitem__(self, name: str) -> Offer:
        offer = self.get(name)
        if offer is None:
            raise KeyError(name)
        return offer

    @overload
    def get(self, key: str, /) -> Offer | None: ...

    @overload
    def get(self, key: str, /, default: Offer | T) -> Offer | T: ...

    def get(self, key: str, /, default: object = None) -> object:
        """Offer a parameter, if there is one."""
        parameter = self._scope.find(key)
        if parameter is None:
            return default
        load = partial(self._load, key, parameter)
        if parameter.kind == "object":
            return Offer(load, is_object=True)
        return Offer(load, False, parameter.text)

    def _load(self, name: str, parameter: AnyParameter) -> object:
        if name not in self._read:
            self._read.append(name)
        if parameter.kind == "object":
            return self._loader(parameter)
        # A copy: what a task changes in place is its own.
        return copy_json(parameter.value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._scope.visible())

    def __len__(self) -> int:
        return len(self._scope.visible())


def outputs(
    task: BaseTaskType, result: object, path: str, env: RunEnvironment
) -> dict[str, AnyParameter]:
    """Turn what a task returned into the parameters that it declares.

    Args:
        task: The task.
        result: What its call returned.
        path: The path of the step, under which objects are stored.
        env: The environment of the run.

    Returns:
        Parameters by name; objects are stored already.

    Raises:
        ReturnsError: If there are more or fewer values than declared.
        FieldMissingError: If a record lacks a field.
        ValueNotStorableError: If a value is not what was declared.
    """
    declared = task.returns
    if not declared:
        return {}
    values = task.values_of(result)
    if len(values) != len(declared):
        names = [one.name for one in declared]
        raise ReturnsError(task.command, names, len(values))
    if result is None and not task.may_return_none:
        text = (
            f"it returned None for {declared[0].name!r}; is a `return` missing? If "
            "None is meant, annotate its function with it: `-> float | None`"
        )
        env.warn_once(("none", task.command), path, text)
    made: dict[str, AnyParameter] = {}
    for one, value in zip(declared, values, strict=True):
        made[one.name] = _parameter(one, value, path, env)
    for one, value in zip(declared, values, strict=True):
        if not isinstance(value, _SHORT):
            _warn_if_long(made[one.name], one.name, value, task.command, path, env)
    return made


def _warn_if_long(
    made: AnyParameter,
    name: str,
    value: object,
    command: str,
    path: str,
    env: RunEnvironment,
) -> None:
    """Warn, once for all branches, of a value that should not be JSON."""
    if isinstance(made, StoredObject) or not is_longer(made.value, WARNED_CHARACTERS):
        return
    kind = type(value).__qualname__
    text = (
        f"it returned {name!r}, a {kind} whose JSON has more than "
        f"{WARNED_CHARACTERS:,} characters. Declare it with pickled({name!r}), "
        "which is faster, and gives later steps the object itself; or write a file"
    )
    env.warn_once(("long", command, name), path, text)


def reduced(
    name: str,
    values: Sequence[AnyParameter],
    reducer: Reducer,
    path: str,
    env: RunEnvironment,
) -> AnyParameter:
    """Make one parameter of what the branches of a map returned under one name.

    Args:
        name: The name.
        values: One for each branch that returned it, in the order of the items.
        reducer: Makes one value of several; without values it is not called.
        path: The path of the step.
        env: The environment of the run.

    Returns:
        An object if any value is one, a metric if all are, else JSON.

    Raises:
        ReductionError: If the reducer fails.
        ValueNotStorableError: If the reduced value is not of this kind.
    """
    kinds = {value.kind for value in values}
    plain: list[object] = [
        env.loader(value) if isinstance(value, StoredObject) else copy_json(value.value)
        for value in values
    ]
    result = _reduce(name, plain, reducer) if values else plain
    kind: Kind = "json"
    if "object" in kinds:
        kind = "object"
    elif kinds == {"metric"}:
        kind = "metric"
    return _parameter(TaskReturns(name=name, kind=kind), result, path, env)


def _reduce(name: str, values: list[object], reducer: Reducer) -> object:
    if reducer.reduce is None:
        return values
    try:
        return reducer.reduce(values)
    except RunnableError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ReductionError(reducer.text or "", name, why) from error


def _parameter(
    declared: TaskReturns, value: object, path: str, env: RunEnvironment
) -> AnyParameter:
    if declared.kind == "object":
        return _store(declared.name, value, path, env)
    plain: JsonValue = to_json(value, declared.name)
    if not isinstance(value, _SHORT) and is_longer(plain, MOST_CHARACTERS):
        raise ValueTooLongError(
            declared.name, type(value).__qualname__, MOST_CHARACTERS
        )
    if declared.kind == "metric":
        return metric_parameter(plain)
    return json_parameter(plain)


def _store(name: str, value: object, path: str, env: RunEnvironment) -> ObjectParameter:
    if env.objects is not None:
        key = f"{path}/{name}"
        env.objects[key] = value
        return ObjectParameter(value=name, key=key)
    pickler = env.services.pickler
    stored = env.services.catalog.put_object(
        path,
        f"{name}{pickler.extension}",
        partial(_pickle, name, value, pickler),
        run_id=env.run_id,
    )
    return ObjectParameter(
        value=name,
        key=stored.key,
        sha256=stored.sha256,
        size_bytes=stored.size_bytes,
    )


def _pickle(name: str, value: object, pickler: BasePickler, file: BinaryIO) -> None:
    try:
        pickler.dump(value, file)
    except (RunnableError, OSError):
        raise
    except Exception as error:
        kind, why = type(value).__qualname__, f"{type(error).__name__}: {error}"
        raise ObjectNotPicklableError(name, kind, why) from error
