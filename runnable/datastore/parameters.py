"""Parameters in run logs: how stored objects are loaded, and their plain form."""

import copy
from collections.abc import Mapping
from contextlib import AbstractContextManager
from types import FunctionType
from typing import Annotated, Any, BinaryIO, Protocol

from pydantic import Field

from runnable.datastore.errors import ObjectNotLoadableError
from runnable.errors import RunnableError
from runnable.journal import (
    AnyParameter,
    JsonParameter,
    MetricParameter,
    StoredObject,
    json_parameter,
)
from runnable.scope.injection import Provide, inject


class ObjectSource(Protocol):
    """Reads stored objects: the catalog."""

    def open_verified(
        self, name: str, sha256: str, *, run_id: str, size_bytes: int | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """Open a stored file, after its content has been verified."""
        ...

    def open_file(
        self, name: str, *, run_id: str
    ) -> AbstractContextManager[BinaryIO | None]:
        """Open whatever is kept of a run; None if there is none."""
        ...


class Unpickler(Protocol):
    """Makes an object of its bytes: the pickler."""

    def load(self, file: BinaryIO) -> object:
        """Read an object."""
        ...


class ObjectsInMemory(Protocol):
    """The context of a run that may keep objects in memory."""

    run_id: str
    return_objects: Mapping[str, object]


_UNCHANGING = (str, bytes, int, float, complex, bool, type(None), type, FunctionType)


def own_copy(thing: object) -> object:
    """Return a copy of an object in memory, as if it had been stored and loaded.

    What never changes is not copied; nor is what cannot be, such as an open connection,
    which could not be stored either.

    Args:
        thing: Any object.

    Example:
        >>> things = [[1], "text"]
        >>> mine = own_copy(things)
        >>> mine == things, mine is things, mine[0] is things[0]
        (True, False, False)
    """
    if isinstance(thing, _UNCHANGING):
        return thing
    try:
        return copy.deepcopy(thing)
    except Exception:  # noqa: BLE001 - whatever its classes raise
        return thing


class CatalogLoader:
    """Loads the stored objects of one run, and opens its files.

    Args:
        run_id: The run.
        catalog: Where the objects are stored.
        pickler: Unpickles them.
        in_memory: Objects of the run that were never stored, by key.
    """

    def __init__(
        self,
        run_id: str,
        catalog: ObjectSource,
        pickler: Unpickler,
        in_memory: Mapping[str, object],
    ) -> None:
        self._run_id = run_id
        self._catalog = catalog
        self._pickler = pickler
        self._in_memory = in_memory

    def __call__(self, parameter: StoredObject) -> object:
        """Load one object."""
        if parameter.key in self._in_memory:
            return own_copy(self._in_memory[parameter.key])
        opened = self._catalog.open_verified(
            parameter.key,
            parameter.sha256,
            run_id=self._run_id,
            size_bytes=parameter.size_bytes,
        )
        with opened as file:
            try:
                return self._pickler.load(file)
            except (RunnableError, OSError):
                raise
            except Exception as error:
                why = f"{type(error).__name__}: {error}"
                raise ObjectNotLoadableError(str(parameter.value), why) from error

    def open(self, key: str) -> AbstractContextManager[BinaryIO | None]:
        """Open whatever is kept of the run; None if there is none."""
        return self._catalog.open_file(key, run_id=self._run_id)


class ObjectParameter(StoredObject):
    """A parameter that is a pickled object in the catalog."""

    def get_value(self) -> object:
        """Load the object.

        Returns:
            A new copy at each call, unless the run keeps its objects in memory.

        Raises:
            ObjectDamagedError: If the stored bytes are not what was stored.
            RuntimeError: If no run is current, and this is not part of a run log.
        """
        return (self._loader or self._loader_of_run())(self)

    @inject
    def _loader_of_run(
        self,
        *,
        catalog: ObjectSource = Provide["catalog"],
        pickler: Unpickler = Provide["pickler"],
        run_context: ObjectsInMemory = Provide["run_context"],
    ) -> CatalogLoader:
        kept = run_context.return_objects
        return CatalogLoader(run_context.run_id, catalog, pickler, kept)


Parameter = Annotated[
    JsonParameter | MetricParameter | ObjectParameter, Field(discriminator="kind")
]
"""A parameter of any kind, distinguished by its `kind`."""

PickledParameter = ObjectParameter

_KINDS: dict[str, type[AnyParameter]] = {
    "json": JsonParameter,
    "metric": MetricParameter,
    "object": ObjectParameter,
}


def to_plain(parameters: Mapping[str, AnyParameter]) -> dict[str, Any]:
    """Turn parameters into JSON values, without derived fields.

    Args:
        parameters: By name.

    Example:
        >>> to_plain({"x": JsonParameter(value=1)})
        {'x': {'kind': 'json', 'value': 1}}
    """
    return {name: _plain(it) for name, it in parameters.items()}


def _plain(parameter: AnyParameter) -> dict[str, Any]:
    if isinstance(parameter, StoredObject):
        return parameter.model_dump(mode="json", exclude={"description"})
    if parameter.text is None:
        return {"kind": parameter.kind, "value": parameter.value}
    return {
        "kind": parameter.kind,
        "value": parameter.value,
        "text": parameter.text,
    }


def from_plain(plain: Mapping[str, Any]) -> dict[str, AnyParameter]:
    """Reverse `to_plain`; nothing is validated again.

    Args:
        plain: By name.
    """
    return {name: _typed(it) for name, it in plain.items()}


def _typed(plain: dict[str, Any]) -> AnyParameter:
    if plain["kind"] == "json":
        return json_parameter(plain["value"], plain.get("text"))
    return _KINDS[plain["kind"]].model_construct(None, **plain)
