"""What runs leave behind in a worker process that others could notice."""

import sys
import threading
from pathlib import Path

from runnable.system.main_program import is_users_own


class Leftovers:
    """Notes when modules of the project were imported, and which threads are usual."""

    def __init__(self) -> None:
        self._usual = set(threading.enumerate())
        self._imported_ns: dict[str, int] = {}
        """By file, a moment at which it had not been imported yet."""

    def note(self, started_ns: int) -> None:
        """Note the modules that work has imported.

        Args:
            started_ns: When the work began, in nanoseconds since the epoch.
        """
        for file in _own_files():
            self._imported_ns.setdefault(file, started_ns)

    def matter(self) -> bool:
        """Return True if a module has changed since, or if a thread is left."""
        if set(threading.enumerate()) - self._usual:
            return True
        return any(_changed_ns(it) >= at for it, at in self._imported_ns.items())


def _own_files() -> list[str]:
    modules = list(sys.modules.items())
    found = (
        getattr(it, "__file__", None) for name, it in modules if is_users_own(name)
    )
    return [file for file in found if file is not None]


def _changed_ns(file: str) -> int:
    try:
        return Path(file).stat().st_mtime_ns
    except OSError:
        return sys.maxsize  # it is gone
