"""Find the functions and values of the user's own modules that a function uses.

Theory of operation. Compiled code has the names that it looks up. Those that stand for
a function, a class or a plain value in a module of the user's are followed, from one
function to the next, each once; code of installed packages and of Python is not, since
its version seldom changes between two runs of one project.
"""

import functools
import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from pydantic import JsonValue

from runnable.parameters.errors import ValueNotStorableError
from runnable.parameters.values import to_json
from runnable.system.main_program import is_users_own

_CACHING = type(functools.cache(len))
_PLAIN = (str, int, float, bool, list, tuple, dict, set, frozenset, type(None))
_MOST = 2_000
"""More functions than anybody would follow by hand; the rest is not looked at."""


class Helpers(NamedTuple):
    """What a function uses, beside itself."""

    functions: Sequence[tuple[str, Callable[..., object]]]
    """Functions and classes, each with its dotted name, which several may have."""
    values: Mapping[str, JsonValue]
    """Plain values of modules, by dotted name."""


def helpers_of(function: Callable[..., object]) -> Helpers:
    """Find what a function uses of the user's own modules, directly or by others.

    Args:
        function: Anything that can be called.

    Returns:
        The functions, classes and plain values; names that are only known while it
        runs, such as attributes of arguments, cannot be followed.

    Example:
        >>> helpers_of(len)
        Helpers(functions=[], values={})
    """
    functions: list[tuple[str, Callable[..., object]]] = []
    values: dict[str, JsonValue] = {}
    seen = {id(function)}
    left: list[object] = [function]
    while left and len(functions) < _MOST:
        for name, used in _used(left.pop()):
            if id(used) in seen:
                continue
            if callable(used):
                seen.add(id(used))
                left.append(used)
                functions.append((name, used))
            elif isinstance(used, _PLAIN):
                _add_plain(values, name, cast("object", used))
    return Helpers(functions, values)


def _add_plain(values: dict[str, JsonValue], name: str, value: object) -> None:
    try:
        values[name] = to_json(value, name)
    except ValueNotStorableError:
        return  # no constant: a client, an open file


def _used(thing: object) -> Iterator[tuple[str, object]]:
    """Yield what a function, or a class, uses itself, with its dotted name."""
    for function in _functions_in(thing):
        if not is_users_own(getattr(function, "__module__", None)):
            continue
        names = set(_names(function.__code__))
        for name in sorted(names & function.__globals__.keys()):
            yield from _followed(function, name, names)
        for cell in function.__closure__ or ():
            held = _content(cell)
            if callable(held) and is_users_own(getattr(held, "__module__", None)):
                yield _dotted(held), held


def _followed(
    function: types.FunctionType, name: str, names: set[str]
) -> Iterator[tuple[str, object]]:
    """Yield the global of a name, or what is used of it if it is a module."""
    found = function.__globals__[name]
    if not isinstance(found, types.ModuleType):
        yield from _own(found, f"{function.__module__}.{name}")
    elif is_users_own(found.__name__):
        for inner in sorted(names & vars(found).keys()):
            yield from _own(vars(found)[inner], f"{found.__name__}.{inner}")


def _own(value: object, name: str) -> Iterator[tuple[str, object]]:
    if not callable(value):
        yield name, value
    elif is_users_own(getattr(value, "__module__", None)):
        yield _dotted(value), value


def _functions_in(thing: object) -> Iterator[types.FunctionType]:
    """Yield the plain functions that something to be called consists of."""
    if isinstance(thing, functools.partial):
        thing = cast("functools.partial[object]", thing).func
    if isinstance(thing, _CACHING):
        thing = thing.__wrapped__
    if isinstance(thing, types.MethodType):
        thing = thing.__func__
    if isinstance(thing, types.FunctionType):
        yield thing
        return
    kind = thing if isinstance(thing, type) else type(thing)
    for base in inspect.getmro(kind):
        if is_users_own(base.__module__):
            members = (_plain_member(it) for it in vars(base).values())
            yield from (it for it in members if isinstance(it, types.FunctionType))


def _plain_member(member: object) -> object:
    if isinstance(member, property):
        return member.fget
    return getattr(member, "__func__", member)  # of static and class methods


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _content(cell: types.CellType) -> object:
    try:
        return cast("object", cell.cell_contents)
    except ValueError:
        return None  # nothing is in it yet


def _dotted(thing: object) -> str:
    module = getattr(thing, "__module__", "")
    return f"{module}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"
