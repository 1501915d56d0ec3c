"""Give a function the parameters that its signature asks for."""

import contextlib
import functools
import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from inspect import Parameter
from typing import Any, Literal, NamedTuple, NotRequired, Required, TypeGuard, Union

from pydantic import (
    BaseModel,
    ConfigDict,
    JsonValue,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
)
from typing_extensions import TypedDict, is_typeddict

from runnable.errors import DefinitionError
from runnable.parameters.errors import BindingError, ParameterMissingError
from runnable.parameters.texts import with_texts
from runnable.parameters.values import shortened
from runnable.scope.injection import is_marker

Load = Callable[[], object]
"""Gives the value of one parameter: a copy of its own, or an object from the store."""

_PLAIN = (str, int, float, bool)
_MISSING = object()


class Offer(NamedTuple):
    """A parameter that may be bound."""

    load: Load
    is_object: bool = False
    """Whether it is a pickled object, which is passed on as it is."""
    text: JsonValue = None
    """The same structure with each scalar as it was written, if it came from text."""


class _Named(NamedTuple):
    """A parameter of the function that has a name."""

    name: str
    by_place: bool
    """Whether it cannot be given by its name."""
    default: object


def _unwrap(function: Callable[..., object]) -> Callable[..., object]:
    inner: Callable[..., object] = inspect.unwrap(function)
    while isinstance(inner, functools.partial):
        inner = inspect.unwrap(inner.func)
    if not inspect.isroutine(inner) and not inspect.isclass(inner):
        inner = type(inner).__call__
    return inner


def _resolve_one_by_one(function: Callable[..., object]) -> dict[str, Any]:
    """Resolve what can be; a name that only type checkers know spoils no other."""
    known = dict(getattr(function, "__globals__", {}))
    if inspect.isfunction(function):
        known |= inspect.getclosurevars(function).nonlocals
    resolved: dict[str, Any] = {}
    for name, annotation in getattr(function, "__annotations__", {}).items():

        def probe() -> None: ...

        probe.__annotations__ = {name: annotation}
        with contextlib.suppress(NameError, TypeError, AttributeError):
            resolved |= typing.get_type_hints(probe, known, include_extras=True)
    return resolved


def is_decorated(function: Callable[..., object]) -> bool:
    """Return True if a function is one that calls another one, within a decorator.

    Args:
        function: The function.
    """
    return inspect.unwrap(function) is not function


def annotations_of(function: Callable[..., object]) -> dict[str, Any]:
    """Return the annotations of a function, as far as they can be resolved.

    Args:
        function: Anything that can be called.

    Example:
        >>> annotations_of(lambda x: x)
        {}
    """
    function = _unwrap(function)
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError):
        return _resolve_one_by_one(function)


class Binder:
    """Binds parameters to one function; reads its signature once.

    Arguments with injection markers are left alone, since `inject` fills them.

    Args:
        function: Anything that can be called and has a signature.

    Example:
        >>> def area(width: float, height: float = 2.0) -> float:
        ...     return width * height
        >>> Binder(area).bind({"width": Offer(lambda: "1.5")})
        ([], {'width': 1.5})
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self.name = name_of(function)
        self._signature = inspect.signature(function)
        self._named = [
            _Named(it.name, it.kind is Parameter.POSITIONAL_ONLY, it.default)
            for it in self._signature.parameters.values()
            if it.kind not in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}
            and not is_marker(it.default)
        ]
        self._takes_rest = any(
            parameter.kind is Parameter.VAR_KEYWORD
            for parameter in self._signature.parameters.values()
        )
        self._adapters: dict[str, TypeAdapter[object]] = {}
        # What functools.singledispatch makes looks at its first positional argument.
        self._is_generic = hasattr(function, "dispatch") and hasattr(
            function, "registry"
        )
        if self._is_generic and self._named:
            self._named[0] = self._named[0]._replace(by_place=True)

    @cached_property
    def _annotations(self) -> dict[str, Any]:
        return annotations_of(self._function)

    def takes(self) -> dict[str, Any]:
        """Return the annotations of what may be bound, by name; None if it has none."""
        return {it.name: self._annotations.get(it.name) for it in self._named}

    def names_taken(self) -> set[str] | None:
        """Return the names of all parameters that may be bound; None if any may be."""
        if self._takes_rest:
            return None
        names: set[str] = set()
        for name, annotation in self.takes().items():
            if _is_namespace(annotation):
                return None
            fields = annotation.model_fields if is_model(annotation) else {}
            aliases = [it.alias for it in fields.values() if it.alias]
            names.update([name, *fields, *aliases])
        return names

    @property
    def returned(self) -> Any:  # annotations have no common type
        """The annotation of what it returns; None if there is none."""
        return self._annotations.get("return")

    @property
    def may_return_none(self) -> bool:
        """Whether the annotation of what it returns has None among others."""
        annotation = self.returned
        if annotation in {typing.Any, object}:
            return True
        return types.NoneType in typing.get_args(annotation)

    @property
    def hint(self) -> str:
        """How to hide a parameter that the caller of the function does not give."""
        if not is_decorated(self._function) or self._is_generic:
            return ""
        return (
            "These are the parameters of the function within a decorator "
            "(functools.wraps). If the decorator gives it one of them, delete "
            "`__wrapped__` of what the decorator returns, or set its `__signature__`."
        )

    def required(self) -> list[str]:
        """Return the names of the parameters that the function cannot do without."""
        return [
            parameter.name
            for parameter in self._named
            if parameter.default is Parameter.empty
            and not _takes_several(self._annotations.get(parameter.name))
        ]

    def bind(
        self, offers: Mapping[str, Offer]
    ) -> tuple[list[object], dict[str, object]]:
        """Choose and convert the arguments.

        Args:
            offers: What may be bound, by name.

        Returns:
            Positional and keyword arguments of the call.

        Raises:
            ParameterMissingError: If the function needs one that is not offered.
            BindingError: If a value cannot be converted to what is annotated.
        """
        positional: list[object] = []
        keywords: dict[str, object] = {}
        for parameter in self._named:
            value = self._argument(parameter, offers)
            if parameter.by_place:
                positional.append(parameter.default if value is _MISSING else value)
            elif value is not _MISSING:
                keywords[parameter.name] = value
        if self._takes_rest:
            keywords |= self._rest(offers)
        return positional, keywords

    def problems(self, offers: Mapping[str, Offer]) -> Iterator[BindingError]:
        """Yield what is wrong with values that are known, where others are not yet.

        Args:
            offers: Some of what may be bound, by name.
        """
        for parameter in self._named:
            if (
                parameter.default is not Parameter.empty
                and parameter.name not in offers
            ):
                continue
            try:
                self._argument(parameter, offers)
            except BindingError as error:
                yield error
            except ParameterMissingError:
                pass  # an earlier step may provide it

    def _argument(self, parameter: _Named, offers: Mapping[str, Offer]) -> object:
        name = parameter.name
        offer = offers.get(name)
        if offer is not None:
            return self._converted(name, offer)
        annotation = self._annotations.get(name)
        if annotation is not None and _is_namespace(annotation):
            return annotation(**self._rest(offers))
        if parameter.default is not Parameter.empty:
            return _MISSING
        if is_model(annotation):
            return self._model_of_several(name, annotation, offers)
        raise self._missing(name, offers)

    def _model_of_several(
        self, name: str, model: type[BaseModel], offers: Mapping[str, Offer]
    ) -> object:
        """Make a model whose fields are parameters of their own."""
        values: dict[str, object] = {}
        texts: dict[str, JsonValue] = {}
        for field, info in model.model_fields.items():
            keys = [key for key in (info.alias, field) if key and key in offers]
            if keys:
                values[keys[0]] = offers[keys[0]].load()
                if offers[keys[0]].text is not None:
                    texts[keys[0]] = offers[keys[0]].text
            elif info.is_required():
                raise self._missing(name, offers, field)
        if not values:
            raise self._missing(name, offers)
        return self._validated(name, model, values, texts or None)

    def _missing(
        self, name: str, offers: Mapping[str, Offer], field: str = ""
    ) -> ParameterMissingError:
        return ParameterMissingError(
            self.name, name, sorted(offers), field=field, hint=self.hint
        )

    def _rest(self, offers: Mapping[str, Offer]) -> dict[str, object]:
        named = self._signature.parameters
        return {
            name: offer.load() for name, offer in offers.items() if name not in named
        }

    def _converted(self, name: str, offer: Offer) -> object:
        value = offer.load()
        annotation = self._annotations.get(name)
        if offer.is_object or annotation is None or annotation is typing.Any:
            return value
        if annotation in _PLAIN and type(value) is annotation:
            return value
        if annotation is str and isinstance(offer.text, str):
            return offer.text
        text: object = offer.text
        if is_model(annotation) and not _is_one(value, annotation):
            value, text = {name: value}, {name: text} if text is not None else None
        return self._validated(name, annotation, value, text)

    def _validated(
        self, name: str, annotation: Any, value: object, text: object
    ) -> object:
        adapter = self._adapter(name, annotation)
        if text is not None:
            value = with_texts(adapter, value, text)
        try:
            return adapter.validate_python(value)
        except ValidationError as error:
            raise BindingError(
                self.name, name, shortened(value), _explain(annotation, error)
            ) from None  # pydantic's text is in ours

    def _make_adapter(self, name: str, annotation: Any) -> TypeAdapter[object]:
        annotation = supported(annotation)
        try:
            if _has_own_config(annotation):
                return TypeAdapter(annotation)
            config = ConfigDict(
                arbitrary_types_allowed=True,
                coerce_numbers_to_str=True,  # 2024 may name a year as text
            )
            return TypeAdapter(annotation, config=config)
        except PydanticUserError as error:
            raise DefinitionError(
                f"{self.name}: the annotation of {name!r} cannot be checked: "
                f"{error.message.splitlines()[0]} Annotate it with another type, or "
                "with Any to pass the value on as it is."
            ) from None

    def _adapter(self, name: str, annotation: Any) -> TypeAdapter[object]:
        adapter = self._adapters.get(name)
        if adapter is None:
            adapter = self._adapters[name] = self._make_adapter(name, annotation)
        return adapter


def supported(annotation: Any) -> Any:  # annotations have no common type
    """Replace each `typing.TypedDict`, which pydantic does not read before 3.12."""
    if typing.is_typeddict(annotation) and sys.version_info < (3, 12):
        hints = typing.get_type_hints(annotation, include_extras=True)
        fields: dict[str, Any] = {}
        for name, hint in hints.items():
            needed = name in annotation.__required_keys__
            plain = supported(without_need(hint))
            fields[name] = Required[plain] if needed else NotRequired[plain]
        return TypedDict(annotation.__name__, fields)  # type: ignore[operator]  # made at run time
    arguments = typing.get_args(annotation)
    if not arguments or typing.get_origin(annotation) is Literal:
        return annotation
    changed = tuple(supported(it) for it in arguments)
    if all(a is b for a, b in zip(changed, arguments, strict=True)):
        return annotation
    origin = typing.get_origin(annotation)
    if origin in {Union, types.UnionType}:
        return Union[changed]  # noqa: UP007 - made at run time
    return origin[changed[0] if len(changed) == 1 else changed]


def without_need(hint: Any) -> Any:
    """Return the annotation within `Required` or `NotRequired`, if it is one."""
    if typing.get_origin(hint) in {Required, NotRequired}:
        return typing.get_args(hint)[0]
    return hint


def is_model(annotation: object) -> TypeGuard[type[BaseModel]]:
    """Return True if an annotation is a pydantic model."""
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)


def _takes_several(annotation: object) -> bool:
    """Return True if an argument may be made of parameters of other names."""
    return _is_namespace(annotation) or is_model(annotation)


def _is_namespace(annotation: object) -> bool:
    # By name: who does not use argparse does not import it.
    return getattr(annotation, "__module__", "") == "argparse" and (
        getattr(annotation, "__qualname__", "") == "Namespace"
    )


def _has_own_config(annotation: object) -> bool:
    # pydantic refuses to configure a type that brings its own configuration.
    return inspect.isclass(annotation) and (
        issubclass(annotation, BaseModel)
        or hasattr(annotation, "__dataclass_fields__")
        or is_typeddict(annotation)
    )


def _is_one(value: object, model: type) -> bool:
    """Return True if a value is a model, or has the fields of one."""
    return isinstance(value, (Mapping, model))


def name_of(function: Callable[..., object]) -> str:
    """Return the dotted name of a function, also of partials and callables."""
    inner = _unwrap(function)
    module = getattr(inner, "__module__", None) or "builtins"
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return f"{module}.{name}"


def _explain(annotation: object, error: ValidationError) -> str:
    wanted = inspect.formatannotation(annotation)
    findings: list[str] = []
    for finding in error.errors(include_input=False, include_url=False):
        where = ".".join(str(part) for part in finding["loc"])
        findings.append(f"{where}: {finding['msg']}" if where else finding["msg"])
    return f"{wanted} ({'; '.join(findings)})"
