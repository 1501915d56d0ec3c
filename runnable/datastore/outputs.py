"""The results of a run by name: objects are loaded when they are looked up."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError

from runnable.datastore.errors import ArtifactNotFoundError, OutputTypeError
from runnable.errors import did_you_mean
from runnable.journal import AnyParameter

T = TypeVar("T")


class Outputs(Mapping[str, object]):
    """The values that the steps of a run returned, as of the end of the run.

    Objects are loaded from the catalog each time they are looked up; a listing of names
    loads none.

    Args:
        run_id: Named in errors.
        parameters: The parameters of the run at its end.
        find_returned: Finds the names that steps have returned.

    Example:
        >>> from runnable.journal import JsonParameter
        >>> known = {"x": JsonParameter(value=1), "y": JsonParameter(value=2)}
        >>> outputs = Outputs("r1", known, lambda: {"y"})
        >>> outputs["y"], dict(outputs)
        (2, {'y': 2})
    """

    def __init__(
        self,
        run_id: str,
        parameters: Mapping[str, AnyParameter],
        find_returned: Callable[[], set[str]],
    ) -> None:
        self._run_id = run_id
        self._parameters = parameters
        self._find_returned = find_returned
        self._found: list[str] | None = None

    @property
    def _names(self) -> list[str]:
        if self._found is None:
            returned = self._find_returned()
            self._found = [name for name in self._parameters if name in returned]
        return self._found

    def __getitem__(self, name: str) -> object:
        if name not in self._names:
            hint = did_you_mean(name, self._names)
            problem = f"is no output of run {self._run_id!r}. {hint}"
            raise ArtifactNotFoundError(name, problem)
        return self._parameters[name].get_value()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __repr__(self) -> str:
        shown = (
            f"{name!r}: {'<object>' if it.kind == 'object' else repr(it.value)}"
            for name in self._names
            for it in [self._parameters[name]]
        )
        return f"{{{', '.join(shown)}}}"


def as_type(name: str, value: object, kind: type[T]) -> T:
    """Return a value as an object of a type.

    Args:
        name: Of the value, for errors.
        value: Any value.
        kind: What pydantic can validate: a model or a dataclass is made of a mapping;
            any other class, and then the value must be an object of it.

    Raises:
        OutputTypeError: If it is not of the type.

    Example:
        >>> as_type("mean", 2, float)
        2.0
    """
    try:
        adapter: TypeAdapter[T] = TypeAdapter(kind)
    except PydanticUserError:  # a class of which pydantic knows nothing
        config = ConfigDict(arbitrary_types_allowed=True)
        adapter = TypeAdapter(kind, config=config)
    try:
        return adapter.validate_python(value)
    except PydanticUserError as error:
        raise OutputTypeError(name, kind, value, error.message) from None
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise OutputTypeError(name, kind, value, why) from None
