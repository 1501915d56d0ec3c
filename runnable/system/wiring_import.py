"""Import `dependency_injector.wiring` without the web frameworks that it knows.

It imports FastAPI, Starlette, Werkzeug and FastDepends where they are installed, to
recognise one class of each: 200 ms for every program that has any of them in its
environment. Nothing can be of these classes before its framework has been imported; so
the module gets classes in their place that look for the real ones when they are asked.
What users do with a framework and dependency-injector stays as it is.
"""

import builtins
import importlib
import importlib.machinery
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType, SimpleNamespace

WIRING = "dependency_injector.wiring"
_CLASSES = {
    "fastapi.params": "Depends",
    "starlette.requests": "Request",
    "werkzeug.local": "LocalProxy",
    "fast_depends.dependencies.model": "Dependant",
    "fast_depends.dependencies": "Depends",
}
"""The classes that it recognises, by module."""


class _Later(type):
    """Makes classes that stand for one of a module that may not be imported yet."""

    module: str
    name: str

    def _real(cls) -> type | None:
        found = getattr(sys.modules.get(cls.module), cls.name, None)
        return found if isinstance(found, type) else None

    def __instancecheck__(cls, instance: object) -> bool:
        real = cls._real()
        return real is not None and isinstance(instance, real)

    def __subclasscheck__(cls, subclass: type) -> bool:
        real = cls._real()
        return real is not None and issubclass(subclass, real)


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002 - as Python has it
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> object:
    wanted = _CLASSES.get(name)
    if wanted is None or name in sys.modules:
        return builtins.__import__(name, globals, locals, fromlist or (), level)
    later = _Later(wanted, (), {"module": name, "name": wanted})
    return SimpleNamespace(**{wanted: later})


class _Loader(importlib.machinery.SourceFileLoader):
    """Runs a module whose imports are ours."""

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import}
        super().exec_module(module)


class _Finder:
    """Finds the one module."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return how it is loaded; None for any other one."""
        if name != WIRING:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is None or not isinstance(
            spec.loader, importlib.machinery.SourceFileLoader
        ):
            return spec  # compiled: it is loaded as it is
        spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def import_wiring() -> ModuleType:
    """Import the module, unless the program has done so already."""
    if WIRING not in sys.modules:
        sys.meta_path.insert(0, _Finder)
        try:
            importlib.import_module(WIRING)
        finally:
            sys.meta_path.remove(_Finder)
    return sys.modules[WIRING]
