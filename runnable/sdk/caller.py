"""Find the function that executes a pipeline, so that another process can call it.

Theory of operation. The frames of the caller are looked at from the inside out. A
function counts if it can be imported under its name and was called without arguments;
it is then called again by the other process, up to the same `execute`. Functions of
other libraries on the way, such as those of a test runner, do not count.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import cast

from runnable.system.main_program import OWN, is_installed, is_standard

_NEVER_CALLED_AGAIN = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def reference_of_caller() -> str:
    """Return a reference to the function that is executing a pipeline.

    Returns:
        `package.module:function`, or `path/of/file.py:function` for a module that is
        found neither from the working directory nor among installed ones; empty if
        there is no such function.
    """
    nearest = ""
    for frame in _frames_of_users():
        name: str = frame.f_globals.get("__name__", "")
        package = name.partition(".")[0]
        nearest = nearest or package
        if package == nearest or not is_installed(frame.f_code.co_filename):
            reference = _reference(name, frame)
            if reference:
                return reference
    return ""


def _frames_of_users() -> Iterator[FrameType]:
    """Yield the frames around the library, from the inside out, up to the script."""
    frame = inspect.currentframe()
    while frame is not None:
        name: str = frame.f_globals.get("__name__", "")
        if name == "__main__":
            return  # a script is run again as a whole
        is_own = name.partition(".")[0] in OWN
        if not is_own and not is_standard(frame.f_code.co_filename):
            yield frame
        frame = frame.f_back


def _reference(name: str, frame: FrameType) -> str:
    code, module = frame.f_code, sys.modules.get(name)
    found = getattr(module, code.co_name, None)
    function = inspect.unwrap(found) if callable(found) else None
    if module is None or getattr(function, "__code__", None) is not code:
        return ""
    if code.co_flags & _NEVER_CALLED_AGAIN or not callable(found):
        return ""
    if _has_arguments(cast("Callable[..., object]", function), frame):
        return ""
    return f"{_location(module)}:{code.co_name}"


def _has_arguments(function: Callable[..., object], frame: FrameType) -> bool:
    """Return True if a function was called with arguments, or needs some.

    Another process would call it without them, and get another pipeline.
    """
    seen = frame.f_locals
    for name, it in inspect.signature(function).parameters.items():
        if it.kind in {it.VAR_POSITIONAL, it.VAR_KEYWORD}:
            if seen.get(name):
                return True
        elif it.default is it.empty or seen.get(name, it.default) is not it.default:
            return True
    return False


def _location(module: ModuleType) -> str:
    """Return the name of a module, or its file if it is not found by its name."""
    file = module.__file__
    package, here = module.__name__.partition(".")[0], str(Path.cwd())
    if file is None or is_installed(file):
        return module.__name__
    spec = PathFinder.find_spec(package, [here])
    if spec is not None and _has(spec.origin, spec.submodule_search_locations, file):
        return module.__name__
    path = Path(file)
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _has(origin: str | None, folders: list[str] | None, file: str) -> bool:
    if folders is None:
        return origin is not None and Path(origin) == Path(file)
    return any(Path(file).is_relative_to(Path(folder).absolute()) for folder in folders)
