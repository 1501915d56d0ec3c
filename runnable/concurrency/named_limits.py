"""The limits of tasks: how many there are at once, in all and by name."""

import os
import threading
from pathlib import Path
from weakref import WeakValueDictionary

from runnable.concurrency.limits import Limiter
from runnable.concurrency.machine_limits import MachineLimiter, whole_path
from runnable.concurrency.queueing import ANY, Wants
from runnable.graph import checked_limits
from runnable.scope.options import NO_LIMITS, NamedLimits

_Key = tuple[frozenset[tuple[str, int]], str]


class StepLimits:
    """The limits of the tasks of a container.

    Args:
        max_steps: How many tasks are active at once; any number if None.
        limits: How many slots there are for those that name what they take.
        folder: Where processes share these.

    Raises:
        ValueError: If a limit is less than 1.
        ConfigurationError: If the folder cannot be used.
    """

    def __init__(
        self,
        max_steps: int | None = None,
        limits: Wants = NO_LIMITS.limits,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        self.named = checked_limits(limits)
        if folder is not None and not (self.named and str(folder)):
            problem = f"limits_folder={folder!r}: it is a path, for limits by name"
            raise ValueError(problem)
        in_all: Wants = {} if max_steps is None else {ANY: max_steps}
        self._lock = threading.RLock()
        self._machines: WeakValueDictionary[Path, MachineLimiter] = (
            WeakValueDictionary()
        )
        self._own: tuple[Limiter, ...] = ()
        if self.named or in_all:
            named = NamedLimits(self.named, "" if folder is None else os.fspath(folder))
            self._own = (self._limiter(in_all, named),)
        self._configured: WeakValueDictionary[_Key, Limiter] = WeakValueDictionary()

    def limiters(self, configured: NamedLimits = NO_LIMITS) -> tuple[Limiter, ...]:
        """Return where a task asks for its slots, one after the other.

        Args:
            configured: The limits of a configuration file; those of the container win.

        Raises:
            ConfigurationError: If the folder cannot be used.
        """
        limits, folder = configured
        more = {name: it for name, it in limits.items() if name not in self.named}
        if not more:
            return self._own
        key = frozenset(more.items()), folder
        with self._lock:
            limiter = self._configured.get(key)
            if limiter is None:
                limiter = self._limiter({}, NamedLimits(more, folder))
                self._configured[key] = limiter
        return (*self._own, limiter)

    def _limiter(self, in_all: Wants, named: NamedLimits) -> Limiter:
        limits, folder = named
        of_machine = self._machine(folder) if folder and limits else None
        return Limiter({**in_all, **limits}, "tasks", "wait", of_machine)

    def _machine(self, folder: str) -> MachineLimiter:
        """Return that of a folder: all limits of it are asked for at once."""
        path = whole_path(folder)
        with self._lock:
            found = self._machines.get(path)
            if found is None:
                found = self._machines[path] = MachineLimiter(path)
            return found
