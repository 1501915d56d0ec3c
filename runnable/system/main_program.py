"""Identify the program that this process runs: a script, or a module run by `-m`."""

import sys
import sysconfig
from functools import lru_cache
from pathlib import Path

from runnable.system.working_directory import working_directory, working_directory_text

OWN = frozenset({"runnable", "containers"})
"""The packages of this library."""
_STANDARD = sysconfig.get_path("stdlib")


def script() -> str:
    """Return the path of the script that this process runs; empty if it runs none.

    A module that is run by `-m` counts if it is in the working directory, or below it;
    any other one is a tool, such as pytest.
    """
    main = sys.modules.get("__main__")
    file = getattr(main, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return ""
    is_module = bool(getattr(main, "__spec__", None))
    return _script(file, working_directory_text(), is_module=is_module)


@lru_cache(maxsize=4)
def _script(file: str, folder: str, *, is_module: bool) -> str:
    path = Path(folder) / file
    if folder and path.is_relative_to(folder) and not is_installed(str(path)):
        return str(path.relative_to(folder))
    return "" if is_module else str(path)


def main_reference() -> str:
    """Return how another process can run the same program; empty if it cannot.

    Returns:
        The path of a script, or the name of a module that was run by `-m`.
    """
    path = script()
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    return spec.name.removesuffix(".__main__") if path and spec is not None else path


def import_path() -> list[str]:
    """Return the folders in which this program has modules of its own.

    They are those of `sys.path` that another Python would not know by itself.
    """
    standard = set(sysconfig.get_paths().values())
    here = str(working_directory() or "")
    return [
        folder
        for folder in dict.fromkeys(sys.path)
        if Path(folder).is_absolute()
        and not is_installed(folder)
        and not folder.startswith(tuple(standard))
        and folder != here
        and Path(folder).is_dir()
    ]


def is_users_own(name: object) -> bool:
    """Return True for a module of the user's project, by its name.

    Args:
        name: Of a module that was imported; anything else is none.

    Example:
        >>> is_users_own("json"), is_users_own("pydantic"), is_users_own(None)
        (False, False, False)
    """
    module = sys.modules.get(name) if isinstance(name, str) else None
    if module is None or module.__name__.partition(".")[0] in OWN:
        return False
    file = getattr(module, "__file__", None)
    if file is None:  # a notebook, or what python -c runs
        return module.__name__ == "__main__"
    return not is_installed(file) and not is_standard(file)


def is_standard(file: str) -> bool:
    """Return True for a file of Python's standard library."""
    return file.startswith((_STANDARD, "<frozen")) and not is_installed(file)


def is_installed(file: str) -> bool:
    """Return True for a file of an installed distribution.

    Args:
        file: Its path.

    Example:
        >>> import pytest
        >>> is_installed(pytest.__file__), is_installed("app/flows.py")
        (True, False)
    """
    return not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)
