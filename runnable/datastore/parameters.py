"""The three kinds of parameters: JSON values, metrics and stored objects."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Annotated, Any, BinaryIO, Literal, Protocol

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    computed_field,
)

from runnable.injection import Provide, inject

_SHOWN_LETTERS = 10


class ObjectSource(Protocol):
    """Where stored objects are read from: the catalog."""

    def open_verified(
        self, name: str, sha256: str, *, run_id: str, size_bytes: int | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """Open what is stored, after its content has been verified."""
        ...


class Unpickler(Protocol):
    """What makes an object of its bytes: the pickler."""

    def load(self, file: BinaryIO) -> object:
        """Read an object."""
        ...


class ObjectsInMemory(Protocol):
    """The context of a run that may keep objects in memory."""

    run_id: str
    return_objects: Mapping[str, object]


class _Parameter(BaseModel):
    model_config = ConfigDict(defer_build=True, ser_json_inf_nan="constants")


class _JsonValued(_Parameter):
    value: JsonValue

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def description(self) -> JsonValue:
        """The value; long text is cut."""
        if isinstance(self.value, str) and len(self.value) > _SHOWN_LETTERS:
            return self.value[:_SHOWN_LETTERS] + "..."
        return self.value

    def get_value(self) -> JsonValue:
        """Return the value."""
        return self.value


class JsonParameter(_JsonValued):
    """A parameter that is a JSON value.

    Example:
        >>> JsonParameter(value=[1, 2]).get_value()
        [1, 2]
    """

    kind: Literal["json"] = "json"


class MetricParameter(_JsonValued):
    """A JSON value that measures how well a run did."""

    kind: Literal["metric"] = "metric"


class ObjectParameter(_Parameter):
    """A parameter that is a pickled object in the catalog."""

    kind: Literal["object"] = "object"
    value: str
    """The name under which it was returned."""
    key: str = ""
    """Where it is stored, relative to the catalog of the run."""
    sha256: str = ""
    """Of the stored bytes, 64 hexadecimal digits; empty if kept in memory."""
    size_bytes: int = 0

    _bound: "ObjectLoader | None" = PrivateAttr(default=None)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def description(self) -> str:
        """A sentence that says where the object lives."""
        return f"Pickled object stored in the catalog as: {self.key or self.value}"

    def __getstate__(self) -> dict[Any, Any]:
        # Where it is loaded from belongs to this process.
        state = super().__getstate__()
        return {**state, "__pydantic_private__": {"_bound": None}}

    def bind(self, loader: "ObjectLoader") -> None:
        """Say where the object is loaded from when no run is current."""
        self._bound = loader

    def get_value(self) -> object:
        """Load the object.

        Returns:
            A new copy at each call, unless the run keeps its objects in memory.

        Raises:
            ObjectDamagedError: If the stored bytes are not what was stored.
            RuntimeError: If no run is current, and this is not part of a run log.
        """
        return (self._bound or loader_of_run())(self)


Parameter = Annotated[
    JsonParameter | MetricParameter | ObjectParameter, Field(discriminator="kind")
]
"""A parameter of any kind, told apart by its `kind`."""

PickledParameter = ObjectParameter

AnyParameter = JsonParameter | MetricParameter | ObjectParameter

_KINDS: dict[str, type[AnyParameter]] = {
    "json": JsonParameter,
    "metric": MetricParameter,
    "object": ObjectParameter,
}


def to_plain(parameters: Mapping[str, AnyParameter]) -> dict[str, Any]:
    """Turn parameters into JSON values, without what is derived.

    Args:
        parameters: By name.

    Example:
        >>> to_plain({"x": JsonParameter(value=1)})
        {'x': {'kind': 'json', 'value': 1}}
    """
    return {
        name: it.model_dump(mode="json", exclude={"description"})
        if isinstance(it, ObjectParameter)
        else {"kind": it.kind, "value": it.value}
        for name, it in parameters.items()
    }


def from_plain(plain: Mapping[str, Any]) -> dict[str, AnyParameter]:
    """Turn back what `to_plain` made; nothing is validated again.

    Args:
        plain: By name.
    """
    return {
        name: _KINDS[it["kind"]].model_construct(None, **it)
        for name, it in plain.items()
    }


class ObjectLoader:
    """Loads the stored objects of one run."""

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

    def __call__(self, parameter: ObjectParameter) -> object:
        """Load one object."""
        if parameter.key in self._in_memory:
            return self._in_memory[parameter.key]
        opened = self._catalog.open_verified(
            parameter.key,
            parameter.sha256,
            run_id=self._run_id,
            size_bytes=parameter.size_bytes,
        )
        with opened as file:
            return self._pickler.load(file)


@inject
def loader_of_run(
    *,
    catalog: ObjectSource = Provide["catalog"],
    pickler: Unpickler = Provide["pickler"],
    run_context: ObjectsInMemory = Provide["run_context"],
) -> ObjectLoader:
    """Return what loads the objects of the current run."""
    kept = run_context.return_objects
    return ObjectLoader(run_context.run_id, catalog, pickler, kept)
