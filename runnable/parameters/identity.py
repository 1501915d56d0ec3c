"""What a function does, as text that changes when the function does."""

import functools
import inspect
from collections.abc import Callable

from pydantic import JsonValue

from runnable.exceptions import DefinitionError, ValueNotStorableError
from runnable.parameters.binding import name_of
from runnable.parameters.values import to_json


def identity_of(function: Callable[..., object]) -> JsonValue:
    """Return what a function is made of: its source, and the values it has bound.

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
    if inspect.isfunction(inner):
        for name, value in inspect.getclosurevars(inner).nonlocals.items():
            closed[name] = (
                identity_of(value) if callable(value) else _plain(inner, value)
            )
    elif inspect.ismethod(inner):
        closed["self"] = _plain(inner, inner.__self__)
    return {
        "name": name_of(inner),
        "source": _source(inner),
        "bound": bound,
        "closed": closed,
    }


def _source(function: Callable[..., object]) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        # Typed at a prompt, or written in C.
        code = getattr(function, "__code__", None)
        return repr((code.co_code, code.co_consts, code.co_names)) if code else ""


def _plain(function: Callable[..., object], value: object) -> JsonValue:
    try:
        return to_json(value, "bound")
    except ValueNotStorableError as error:
        name = name_of(function)
        raise DefinitionError(
            f"{name} cannot be cached by its source: it has bound a value that is "
            f"no JSON ({error.kind}); give cache= a function that makes the key"
        ) from None
