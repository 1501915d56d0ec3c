"""Identity of a function: a text that changes when the function changes."""

import functools
import inspect
import types
from collections.abc import Callable, Mapping
from typing import cast

from pydantic import JsonValue

from runnable.errors import DefinitionError
from runnable.parameters.binding import name_of
from runnable.parameters.errors import ValueNotStorableError
from runnable.parameters.helpers import CACHING, cells, helpers_of, methods_of
from runnable.parameters.values import to_json
from runnable.scope.injection import is_marker


def identity_of(
    function: Callable[..., object], within: tuple[object, ...] = ()
) -> JsonValue:
    """Return what a function is made of: its code, and the values it holds.

    The code as it was loaded, since a file may have been changed after that. What the
    function calls and global variables are not looked at; see `identity_with_helpers`.

    Args:
        function: Anything that can be called.
        within: What holds it, from the outside in.

    Raises:
        DefinitionError: If it has bound a value that is no JSON.

    Example:
        >>> identity_of(functools.partial(abs, -1))["bound"]
        [[-1], {}]
    """
    if any(function is it for it in within):
        return len(within)  # it holds itself
    within = (*within, function)
    bound: JsonValue = []
    inner = function
    if isinstance(inner, functools.partial):
        partial = cast("functools.partial[object]", inner)
        bound = [_plain(partial, partial.args), _plain(partial, partial.keywords)]
        inner = partial.func
    if isinstance(inner, CACHING):
        inner = inner.__wrapped__
    closed: JsonValue = {}
    if inspect.isfunction(inner):
        closed = _held(cells(inner), inner, within)
    elif inspect.ismethod(inner):
        closed = _held({"self": inner.__self__}, inner, within)
    elif not inspect.isclass(inner) and not inspect.isbuiltin(inner):
        # Something that has a __call__: its class says what it does, and it with what.
        closed = _held(_state(inner), inner, within)
    return {
        "name": name_of(inner),
        "code": _code_of(inner),
        "bound": bound,
        "closed": closed,
        "defaults": _defaults(inner, within),
    }


def identity_with_helpers(function: Callable[..., object]) -> JsonValue:
    """Return what a function is made of, and what it uses of the user's own modules.

    Args:
        function: Anything that can be called.

    Raises:
        DefinitionError: If it has bound a value that is no JSON.
    """
    helpers = helpers_of(function)
    return {
        "function": identity_of(function),
        "helpers": [[name, _helper(it)] for name, it in helpers.functions],
        "values": dict(helpers.values),
    }


def _helper(function: Callable[..., object]) -> JsonValue:
    try:
        return identity_of(function)
    except DefinitionError:
        return _code_of(function)  # it holds a lock, or a client


def _held(
    values: Mapping[str, object],
    function: Callable[..., object],
    within: tuple[object, ...],
) -> JsonValue:
    return {
        name: identity_of(value, within) if callable(value) else _plain(function, value)
        for name, value in values.items()
    }


def _items(thing: object) -> dict[str, object]:
    """Return the items of a tuple by number; nothing of anything else."""
    if not isinstance(thing, tuple):
        return {}
    items = cast("tuple[object, ...]", thing)
    return {str(number): item for number, item in enumerate(items)}


def _state(thing: object) -> dict[str, object]:
    """Return the contents of an object: items, slots and attributes."""
    held = _items(thing)
    for kind in inspect.getmro(type(thing)):
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(thing, name):
                held[name] = getattr(thing, name)
    return {**held, **getattr(thing, "__dict__", {})}


def _defaults(function: Callable[..., object], within: tuple[object, ...]) -> JsonValue:
    """Return the values of arguments that are not given; services are none."""
    try:
        # Its own, not those of what it wraps.
        own = inspect.signature(function, follow_wrapped=False)
        parameters = own.parameters.values()
    except (TypeError, ValueError):
        return {}  # written in C, and silent
    given = {it.name: it.default for it in parameters if it.default is not it.empty}
    return {
        name: identity_of(value, within) if callable(value) else _default(value)
        for name, value in given.items()
        if not is_marker(value)
    }


def _default(value: object) -> JsonValue:
    if isinstance(value, frozenset | set):
        return [
            *sorted(map(repr, cast("frozenset[object]", value)))
        ]  # in an order that stays
    try:
        return to_json(value, "default")
    except ValueNotStorableError:
        return repr(value)  # with an address in it, nothing is reused: that is safe


def _code_of(function: Callable[..., object]) -> JsonValue:
    if isinstance(function, types.FunctionType | types.MethodType):
        return _compiled(function.__code__)
    if inspect.isbuiltin(function):
        return ""
    kind: type = function if isinstance(function, type) else type(function)
    # With what it inherits.
    return {
        f"{base.__qualname__}.{name}": [
            _compiled(member.__code__),
            repr(member.__defaults__),
            repr(member.__kwdefaults__),
        ]
        for base in inspect.getmro(kind)
        for name, member in methods_of(base)
    }


def _compiled(code: types.CodeType) -> str:
    """Describe what compiled code does, without its position in a file."""
    arguments = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
    names = code.co_names, code.co_varnames, code.co_freevars
    constants = [_constant(it) for it in code.co_consts]
    handlers = getattr(code, "co_exceptiontable", b"")
    return repr((code.co_code, handlers, arguments, code.co_flags, names, constants))


def _constant(value: object) -> str:
    match value:
        case types.CodeType():
            return _compiled(value)
        case frozenset():
            constants = cast("frozenset[object]", value)
            return repr(sorted(map(_constant, constants)))  # in an order that stays
        case tuple():
            return repr([_constant(it) for it in cast("tuple[object, ...]", value)])
        case _:
            return repr(value)


def _plain(function: Callable[..., object], value: object) -> JsonValue:
    try:
        return to_json(value, "bound")
    except ValueNotStorableError as error:
        name = name_of(function)
        raise DefinitionError(
            f"{name} cannot be cached by its source: it has bound a value that is "
            f"no JSON ({error.kind}); give cache= a function that makes the key"
        ) from None
