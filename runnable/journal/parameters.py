"""The three kinds of parameters as records hold them: JSON, metrics, stored objects."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    PrivateAttr,
    computed_field,
)

from runnable.journal.value_size import in_short

_SHOWN_CHARACTERS = 10
_SHOWN_JSON = 200
_new = object.__new__
_set = object.__setattr__


def describe_value(value: JsonValue) -> JsonValue:
    """Return a value; of a long one, its beginning or how many items it has."""
    is_text = isinstance(value, str)
    return in_short(value, _SHOWN_CHARACTERS if is_text else _SHOWN_JSON)


def describe_object(location: str) -> str:
    """Return a sentence with the location of an object."""
    return f"Pickled object stored in the catalog as: {location}"


class _Parameter(BaseModel):
    model_config = ConfigDict(defer_build=True, ser_json_inf_nan="constants")


class _JsonValued(_Parameter):
    value: JsonValue
    text: JsonValue = Field(default=None, exclude=True, repr=False)
    """If the value was written as text, such as in a variable or a file: the same
    structure with each scalar as it was written; an argument may want the text."""

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def description(self) -> JsonValue:
        """The value; of a long one, its beginning or how many items it has."""
        return describe_value(self.value)

    def get_value(self) -> JsonValue:
        """Return the value."""
        return self.value


_Valued = TypeVar("_Valued", bound=_JsonValued)


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


def json_parameter(value: JsonValue, text: JsonValue = None) -> JsonParameter:
    """Make a parameter of a value that is known to be JSON; a fifth of the time.

    Args:
        value: The value.
        text: The same structure as it was written, if it came from text.

    Example:
        >>> json_parameter([1, 2]) == JsonParameter(value=[1, 2])
        True
    """
    return _unchecked(JsonParameter, {"value": value, "text": text, "kind": "json"})


def metric_parameter(value: JsonValue) -> MetricParameter:
    """Make a metric of a value that is known to be JSON."""
    return _unchecked(MetricParameter, {"value": value, "text": None, "kind": "metric"})


def _unchecked(kind: type[_Valued], fields: dict[str, JsonValue]) -> _Valued:
    # What `model_construct` does, for these two, whose fields are known.
    made = _new(kind)
    _set(made, "__dict__", fields)
    _set(made, "__pydantic_fields_set__", {"value"})
    _set(made, "__pydantic_extra__", None)
    _set(made, "__pydantic_private__", None)
    return made


class StoredObject(_Parameter):
    """A parameter that is a pickled object in the catalog, as recorded.

    `runnable.datastore.ObjectParameter` adds how it is loaded within a run.
    """

    kind: Literal["object"] = "object"
    value: str
    """The name under which it was returned."""
    key: str = ""
    """Where it is stored, relative to the catalog of the run."""
    sha256: str = ""
    """Of the stored bytes, 64 hexadecimal digits; empty if kept in memory."""
    size_bytes: int = 0

    _loader: "ObjectLoader | None" = PrivateAttr(default=None)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def description(self) -> str:
        """A sentence with the location of the object."""
        return describe_object(self.key or self.value)

    def __getstate__(self) -> dict[Any, Any]:
        # The loader belongs to this process.
        state = super().__getstate__()
        return {**state, "__pydantic_private__": {"_loader": None}}

    def bind(self, loader: "ObjectLoader") -> None:
        """Set the loader that is used when no run is current."""
        self._loader = loader

    def get_value(self) -> object:
        """Load the object with the bound loader.

        Raises:
            RuntimeError: If no loader is bound.
        """
        if self._loader is None:
            raise RuntimeError(f"object {self.value!r} has no loader; call bind()")
        return self._loader(self)


def metrics_of(parameters: "Mapping[str, AnyParameter]") -> dict[str, JsonValue]:
    """Return the values of the metrics among some parameters.

    Example:
        >>> metrics_of({"x": JsonParameter(value=1), "m": MetricParameter(value=2)})
        {'m': 2}
    """
    return {name: it.value for name, it in parameters.items() if it.kind == "metric"}


ObjectLoader = Callable[[StoredObject], object]
"""Loads a stored object of one run."""

AnyParameter = JsonParameter | MetricParameter | StoredObject
