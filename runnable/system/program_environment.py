"""Describe what a program runs with: Python, packages, machine, user."""

import functools
import getpass
import os
import platform
import sys
from pathlib import Path

from runnable.graph.shared_json import SharedJson

_SUFFIXES = (".dist-info", ".egg-info")


def program_environment() -> SharedJson:
    """Describe what this process runs with, as the run log records it.

    Returns:
        `python`, `system`, `machine` (its name), `user`, and `packages`: those that are
        installed, as `name==version`, separated by spaces. What is unknown is empty.

    Example:
        >>> described = program_environment()
        >>> described["python"] == platform.python_version()
        True
        >>> "pydantic==" in described["packages"]
        True
    """
    folders = tuple(
        (folder, _changed(folder)) for folder in sys.path if "-packages" in folder
    )
    return _described(folders)


@functools.lru_cache(maxsize=1)
def _described(folders: tuple[tuple[str, int], ...]) -> SharedJson:
    return SharedJson({**_of_process(), "packages": _packages(folders)})


@functools.cache
def _of_process() -> dict[str, str]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = ""  # a container may run as a number without a name
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "machine": platform.node(),
        "user": user,
    }


def _changed(folder: str) -> int:
    """Return when something was last added or removed; a notebook may install more."""
    try:
        return os.stat(folder).st_mtime_ns  # noqa: PTH116 - at the start of each run
    except OSError:
        return 0


def _packages(folders: tuple[tuple[str, int], ...]) -> str:
    # By their folders: reading the metadata of a hundred packages takes 50 ms.
    found: set[str] = set()
    for folder, changed in folders:
        entries = Path(folder).iterdir() if changed else ()
        names = (entry.stem for entry in entries if entry.suffix in _SUFFIXES)
        found |= {"==".join(name.split("-")[:2]) for name in names}
    return " ".join(sorted(found, key=str.lower))
