"""The containers of this process, and which markers they are known to answer."""

import threading
from typing import cast
from weakref import WeakSet

from dependency_injector import containers


class KnownContainers:
    """Remembers containers, for whoever asks whether a marker can be answered.

    A program may make a container for each request: what one of them has answered
    is not asked again.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Each may have been given providers of its own.
        self._instances: WeakSet[containers.DynamicContainer] = WeakSet()
        self._services: set[str] = set()
        self.answered: set[object] = set()
        """Injection points that a container was found to answer."""

    def add(self, made: containers.DynamicContainer) -> None:
        """Remember a container that was made."""
        with self._lock:
            self._instances.add(made)
            self._services.update(made.providers)

    def note_answer(self, service: str) -> None:
        """Remember a service that a container has answered with."""
        self._services.add(service)

    def has_had(self, service: str) -> bool:
        """Return True if a container has, or had, a service, or has answered it."""
        name = service.split(".", maxsplit=1)[0]
        return service in self._services or name in self._services

    def everyone(self) -> list[containers.Container | type]:
        """Return the containers that there are, and the classes of containers."""
        with self._lock:
            instances = list(self._instances)
        # Its annotation says that it is a provider; it is the class.
        waiting = [cast("type", it.declarative_parent) for it in instances]
        classes: dict[type, None] = {}
        while waiting:
            found = waiting.pop()
            if found not in classes:
                classes[found] = None
                waiting += found.__subclasses__()
        return [*instances, *classes]


KNOWN = KnownContainers()
"""Those of this process, since its markers are those of the process."""
