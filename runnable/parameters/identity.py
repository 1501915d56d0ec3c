"""What a function does, as text that changes when the function does."""

import functools
import inspect
from collections.abc import Callable
from types import CodeType

from pydantic import JsonValue

from runnable.exceptions import DefinitionError, ValueNotStorableError
from runnable.injection import is_marker
from runnable.parameters.binding import name_of
from runnable.parameters.values import to_json


def identity_of(function: Callable[..., object]) -> JsonValue:
    """Return what a function is made of: its source, and the values it holds.

    What it calls, and global variables, are not looked at.

    Args:
        function: Anything that can be called.

    Raises:
        DefinitionError: If it has bound a value that is no JSON.

    Example:
        >>> identity_of(functools.partial(abs, -1))["bound"]
        [[-1], {}]
    """
    bound: JsonValue = []
    inner = function
    if isinstance(inner, functools.partial):
        bound = [_plain(inner, inner.args), _plain(inner, inner.keywords)]
        inner = inner.func
    closed: dict[str, JsonValue] = {}
    written: Callable[..., object] = inner
    if inspect.isfunction(inner):
        for name, value in inspect.getclosurevars(inner).nonlocals.items():
            closed[name] = (
                identity_of(value) if callable(value) else _plain(inner, value)
            )
    elif inspect.ismethod(inner):
        closed["self"] = _plain(inner, inner.__self__)
    elif not inspect.isclass(inner) and not inspect.isbuiltin(inner):
        # Something that has a __call__: its class says what it does, and it with what.
        closed["self"] = _plain(inner, getattr(inner, "__dict__", None))
        written = type(inner)
    return {
        "name": name_of(inner),
        "source": _source(written),
        "bound": bound,
        "closed": closed,
        "defaults": _defaults(inner),
    }


def _defaults(function: Callable[..., object]) -> JsonValue:
    """Return the values of arguments that are not given; services are none."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}  # written in C, and silent
    given = {it.name: it.default for it in parameters if it.default is not it.empty}
    return {
        name: identity_of(value) if callable(value) else _default(value)
        for name, value in given.items()
        if not is_marker(value)
    }


def _default(value: object) -> JsonValue:
    try:
        return to_json(value, "default")
    except ValueNotStorableError:
        return repr(value)  # with an address in it, nothing is reused: that is safe


def _source(function: Callable[..., object]) -> str:
    code = getattr(function, "__code__", None)
    try:
        source = inspect.getsource(function)
    except (OSError, TypeError):
        # Typed at a prompt, or written in C.
        return _code(code)
    # There may be others in the same line.
    return source + (_code(code) if name_of(function).endswith("<lambda>") else "")


def _code(code: object) -> str:
    """Return what compiled code does, without where it stands."""
    if not isinstance(code, CodeType):
        return ""
    constants = (
        _code(it) if isinstance(it, CodeType) else repr(it) for it in code.co_consts
    )
    return repr((code.co_code, code.co_names, code.co_varnames, *constants))


def _plain(function: Callable[..., object], value: object) -> JsonValue:
    try:
        return to_json(value, "bound")
    except ValueNotStorableError as error:
        name = name_of(function)
        raise DefinitionError(
            f"{name} cannot be cached by its source: it has bound a value that is "
            f"no JSON ({error.kind}); give cache= a function that makes the key"
        ) from None
