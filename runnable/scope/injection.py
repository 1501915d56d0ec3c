"""Markers: how code names the services that it needs.

Theory of operation. `Provide["catalog"]` as the default of a keyword-only argument
marks it; `inject` is dependency-injector's decorator and also *wires* the function as
it is defined, before anybody can call it. So there is no list of modules to wire, no
order of imports to keep and no wiring race. Who answers is the container of the
current run; this module knows no container: the composition root connects itself with
`connect`, and is loaded at the end of this module, whatever was imported first.
"""

import importlib
import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

from runnable.system.wiring_import import import_wiring

import_wiring()

from dependency_injector import wiring  # noqa: E402 - see above

if TYPE_CHECKING:
    # For type checkers `Provide` is a variable, which cannot be subclassed.
    from dependency_injector.wiring import Provide as Provide  # noqa: PLC0414 - exported
else:

    class Provide(wiring.Provide):
        """Mark a keyword-only argument that is to be injected.

        Example:
            >>> from runnable import Provide, inject
            >>> @inject
            ... def where(*, run_id: str = Provide["run_id"]) -> str:
            ...     return run_id
        """

        def __getattr__(self, name: str) -> object:
            if name.startswith("__"):
                raise AttributeError(name)
            msg = (
                f"Provide[{self.provider!r}] was used (.{name}) but never injected. "
                "Decorate the function with @runnable.inject, keep the marker a "
                "default of a keyword-only argument, and check the service's name."
            )
            raise RuntimeError(msg)


COMPOSITION_ROOT = "containers"
"""The package that wires everything. This module loads it, and does not know it."""

T = TypeVar("T")
Function = TypeVar("Function", bound=Callable[..., object])


class InjectionPoint(NamedTuple):
    """One argument of one function that asks for a service."""

    module: str
    function: str
    parameter: str
    service: str
    """Its name; or that of a type, see `type_of`."""
    marked: Callable[..., object]
    """The function itself, as its author wrote it."""


_types: dict[str, type] = {}
"""Types that markers ask for, by the name that stands for each."""

_points: dict[tuple[str, str, str], InjectionPoint] = {}
_wire: Callable[[str, list[str]], None] | None = None
_waiting: list[tuple[Callable[..., object], list[str]]] = []
# dependency-injector's registry is not made for threads that decorate at once.
_lock = threading.RLock()


def provide(kind: Callable[..., T], name: str = "") -> T:
    """Mark a keyword-only argument that is to be injected, by the type of the service.

    Args:
        kind: A class, such as `BaseCatalog`: the service of the container that is one.
        name: The name of the service, where several are of this class.

    Returns:
        A marker, which type checkers take for what is injected.

    Raises:
        TypeError: If it is no class.

    Example:
        >>> from runnable.catalog import BaseCatalog
        >>> @inject
        ... def keep(*, catalog: BaseCatalog = provide(BaseCatalog)) -> str:
        ...     return catalog.get_summary()["Type"]
    """
    if not isinstance(kind, type):
        raise TypeError(f"provide() needs a class, not {kind!r}")
    if not name and getattr(kind, "_is_protocol", False):
        raise TypeError(
            f"provide() finds no service by a protocol, which {kind.__qualname__} is; "
            f"name the service: provide({kind.__qualname__}, '...')"
        )
    if not name:
        name = f"{kind.__qualname__.replace('.', '_')}, class {id(kind)}"
        _types[name] = cast("type[object]", kind)
    return cast("T", Provide[name])


def type_of(service: str) -> type | None:
    """Return the type that a service is asked for by; None if it is by its name.

    Args:
        service: What an `InjectionPoint` asks for.
    """
    return _types.get(service)


def inject(function: Function) -> Function:
    """Give a function the services that its markers name, at each call.

    Args:
        function: A function, method, coroutine or generator function. Each marker
            is the default of a keyword-only argument; an argument given explicitly
            is used instead.

    Returns:
        The wired function, of the same signature.

    Raises:
        TypeError: If nothing is marked, or a marker is on a positional argument.

    Example:
        >>> @inject
        ... def head(*, run_id: str = Provide["run_id"]) -> str:
        ...     return run_id[:3]
        >>> head(run_id="an explicit argument wins")
        'an '
    """
    points = list(find_markers(function))
    if not points:
        msg = f"{_name_of(function)} has no marked argument; remove @inject"
        raise TypeError(msg)
    services = [point.service for point in points]
    with _lock:
        injected = wiring.inject(function)
        for point in points:
            _points[point.module, point.function, point.parameter] = point
        _wire_one(injected, services)
        injected.__module__ = points[0].module
    return injected


def _wire_one(injected: Callable[..., object], services: list[str]) -> None:
    # dependency-injector wires all callables of a module: a module of its own, for the
    # moment, keeps this from costing more with every function that was wired before.
    if _wire is None:
        _waiting.append((injected, services))
        return
    injected.__module__ = f"runnable wires {id(injected)}"
    _wire(injected.__module__, services)


def find_markers(function: Callable[..., object]) -> Iterator[InjectionPoint]:
    """Find what a function asks for.

    Args:
        function: Any function.

    Yields:
        One point for each marked argument, in the order of the signature.

    Raises:
        TypeError: If a marked argument is not keyword-only.
    """
    for name, parameter in inspect.signature(function).parameters.items():
        if not is_marker(parameter.default):
            continue
        if parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
            msg = (
                f"{_name_of(function)}: the marked argument {name!r} must be "
                "keyword-only; put it after a bare *"
            )
            raise TypeError(msg)
        service = str(parameter.default.provider)
        module, qualname = _module_of(function), function.__qualname__
        yield InjectionPoint(module, qualname, name, service, function)


def is_marker(value: object) -> bool:
    """Return True if a default value is an injection marker."""
    return getattr(type(value), "__IS_MARKER__", False) is True


def _module_of(function: Callable[..., object]) -> str:
    # Code run by exec() in a bare namespace belongs to no module.
    return function.__module__ or "__main__"


def _name_of(function: Callable[..., object]) -> str:
    return f"{_module_of(function)}.{function.__qualname__}"


def injection_points() -> list[InjectionPoint]:
    """List every argument in this process that asks for a service."""
    return sorted(_points.values(), key=lambda point: (point.module, point.function))


def connect(wire: Callable[[str, list[str]], None]) -> None:
    """Connect the composition root; it calls this once, when it is loaded.

    Args:
        wire: Called with a module's name and names of services: wires what
            `inject` decorated in this module.
    """
    global _wire  # noqa: PLW0603 - the one seam between markers and containers
    with _lock:
        _wire = wire
        while _waiting:
            injected, services = _waiting.pop()
            module = injected.__module__
            _wire_one(injected, services)
            injected.__module__ = module


def _load_composition_root() -> None:
    root = importlib.import_module(COMPOSITION_ROOT)
    file = Path(root.__file__ or next(iter(root.__path__)))
    place = file.parent if file.name == "__init__.py" else file
    if place.parent != Path(__file__).parents[2]:
        msg = (
            f"{place} hides the package {COMPOSITION_ROOT!r} that belongs to "
            "runnable; rename it"
        )
        raise ImportError(msg)


_load_composition_root()
