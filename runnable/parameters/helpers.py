"""Find the functions and values of the user's own modules that a function uses.

Theory of operation. Compiled code has the names that it looks up. Those that stand for
a function, a class or a plain value in a module of the user's are followed, from one
function to the next, each once; code of installed packages and of Python is not, since
its version seldom changes between two runs of one project.
"""

import contextlib
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard, cast

from pydantic import JsonValue

from runnable.system.main_program import is_users_own

CACHING = type(functools.cache(len))
"""The type of a function that `functools.cache` wraps."""
_PLAIN = (str, int, float, bool, type(None), bytes)
_MOST = 2_000
"""More functions than anybody would follow by hand; the rest is not looked at."""
_MOST_DEEP = 10


class Helpers(NamedTuple):
    """The helpers that a function uses."""

    functions: Sequence[tuple[str, Callable[..., object]]]
    """Functions and classes, each with its dotted name, which several may have."""
    values: Mapping[str, JsonValue]
    """Descriptions of the other values of modules and classes, by dotted name."""


def helpers_of(function: Callable[..., object]) -> Helpers:
    """Find what a function uses of the user's own modules, directly or by others.

    Args:
        function: Anything that can be called.

    Returns:
        The functions, classes and values; names that are only known while it runs,
        such as attributes of arguments, cannot be followed.

    Example:
        >>> helpers_of(len)
        Helpers(functions=[], values={})
    """
    search = _Search(function)
    while search.left and len(search.functions) < _MOST:
        for name, used in _used(search.left.pop()):
            search.look_at(name, used)
    return Helpers(search.functions, search.values)


class _Search:
    """Collects what is used, each function and class once."""

    def __init__(self, function: Callable[..., object]) -> None:
        self.functions: list[tuple[str, Callable[..., object]]] = []
        self.values: dict[str, JsonValue] = {}
        self.left: list[object] = [function]
        """Objects that are found, and not examined yet."""
        self._seen = {id(function)}

    def look_at(self, name: str, used: object) -> None:
        """Add a function or a class, or describe a value."""
        if _is_code(used):
            self._add(name, used)
        else:
            self.values[name] = self._described(name, used, 0)

    def _add(self, name: str, used: Callable[..., object]) -> None:
        if id(used) not in self._seen:
            self._seen.add(id(used))
            self.functions.append((name, used))
            self.left.append(used)

    def _described(self, name: str, value: object, depth: int) -> JsonValue:
        """Describe a value by what it consists of."""
        if _is_code(value):
            self._add(name, value)
            return name
        if depth > _MOST_DEEP:
            return ""
        if isinstance(value, _PLAIN):
            return repr(value)
        parts = _parts(value)
        if parts is None:
            text = repr(value)
            # A client, a lock, an open file: it differs in each process.
            return type(value).__qualname__ if " at 0x" in text else text
        if is_users_own(type(value).__module__):
            self._add(_dotted(type(value)), type(value))
        return [
            [key, self._described(f"{name}.{key}", part, depth + 1)]
            for key, part in parts
        ]


def _is_code(value: Any) -> TypeGuard[Callable[..., object]]:
    """Return True for functions and classes of the user's."""
    module: object = getattr(value, "__module__", None)
    if isinstance(value, functools.partial):
        return _is_code(cast("functools.partial[object]", value).func)
    kinds = (types.FunctionType, types.MethodType, type, CACHING)
    is_code = isinstance(value, kinds) or hasattr(value, "__wrapped__")
    return is_code and is_users_own(module)


def _parts(value: object) -> list[tuple[str, object]] | None:
    """Return what a container, or an object of a user's class, consists of."""
    if isinstance(value, dict):
        items = cast("dict[object, object]", value).items()
        return [(repr(key), it) for key, it in items]
    if isinstance(value, list | tuple):
        sequence = cast("Sequence[object]", value)
        return [(str(number), it) for number, it in enumerate(sequence)]
    if isinstance(value, set | frozenset):
        texts = sorted(map(repr, cast("set[object]", value)))
        return [(text, text) for text in texts]
    if is_users_own(type(value).__module__) and hasattr(value, "__dict__"):
        return sorted(vars(value).items())
    return None


def _used(thing: object) -> Iterator[tuple[str, object]]:
    """Yield what a function, or a class, uses itself, with its dotted name."""
    if isinstance(thing, type):
        yield from _class_values(thing)
    for function in _functions_in(thing):
        if not is_users_own(getattr(function, "__module__", None)):
            continue
        names = set(_names(function.__code__))
        for name in sorted(names & function.__globals__.keys()):
            yield from _followed(function, name, names)
        for module in sorted(names & sys.modules.keys()):  # imported within it
            if is_users_own(module):
                yield from _of_module(sys.modules[module], names)
        held = [
            *cells(function).values(),
            *(function.__defaults__ or ()),
            *(function.__kwdefaults__ or {}).values(),
        ]
        yield from ((_dotted(it), it) for it in held if _is_code(it))


def _followed(
    function: types.FunctionType, name: str, names: set[str]
) -> Iterator[tuple[str, object]]:
    """Yield the global of a name, or what is used of it if it is a module."""
    found = function.__globals__[name]
    if not isinstance(found, types.ModuleType):
        yield from _own(found, f"{function.__module__}.{name}")
    elif is_users_own(found.__name__):
        yield from _of_module(found, names)


def _of_module(
    module: types.ModuleType, names: set[str]
) -> Iterator[tuple[str, object]]:
    for name in sorted(names & vars(module).keys()):
        found = vars(module)[name]
        if not isinstance(found, types.ModuleType):
            yield from _own(found, f"{module.__name__}.{name}")
        elif is_users_own(found.__name__) and found.__name__ != module.__name__:
            yield from _of_module(found, names - {name})


def _class_values(kind: type) -> Iterator[tuple[str, object]]:
    """Yield the attributes of a class, and of those that it inherits from."""
    for base in inspect.getmro(kind):
        for name, value in vars(base).items() if is_users_own(base.__module__) else ():
            is_method = isinstance(_plain_member(value), types.FunctionType)
            if not name.startswith("__") and not is_method:
                yield f"{_dotted(base)}.{name}", value


def _own(value: object, name: str) -> Iterator[tuple[str, object]]:
    """Yield what is the user's: code of other libraries is not looked at."""
    foreign = callable(value) and not _is_code(value) and _parts(value) is None
    if not foreign:
        yield (_dotted(value) if _is_code(value) else name), value


def _functions_in(thing: object) -> Iterator[types.FunctionType]:
    """Yield the plain functions that something to be called consists of."""
    if isinstance(thing, functools.partial):
        thing = cast("functools.partial[object]", thing).func
    if isinstance(thing, CACHING):
        thing = thing.__wrapped__
    if isinstance(thing, types.MethodType):
        thing = thing.__func__
    if isinstance(thing, types.FunctionType):
        yield thing
        return
    kind = thing if isinstance(thing, type) else type(thing)
    for base in inspect.getmro(kind):
        if is_users_own(base.__module__):
            yield from (function for _, function in methods_of(base))


def methods_of(kind: type) -> Iterator[tuple[str, types.FunctionType]]:
    """Yield the functions of a class, also those that are static or properties."""
    for name, member in vars(kind).items():
        function = _plain_member(member)
        if isinstance(function, types.FunctionType):
            yield name, function


def _plain_member(member: object) -> object:
    if isinstance(member, property):
        return member.fget
    if isinstance(member, functools.cached_property):
        return cast("functools.cached_property[object]", member).func
    return getattr(member, "__func__", member)  # of static and class methods


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def cells(function: types.FunctionType) -> dict[str, object]:
    """Return the values that a function has from around it, as far as there are any."""
    found: dict[str, object] = {}
    names = function.__code__.co_freevars
    for name, cell in zip(names, function.__closure__ or (), strict=True):
        with contextlib.suppress(ValueError):  # nothing is in it yet
            found[name] = cell.cell_contents
    return found


def _dotted(thing: object) -> str:
    module = getattr(thing, "__module__", "")
    return f"{module}.{getattr(thing, '__qualname__', type(thing).__qualname__)}"
