"""The port of clusters: call functions in other processes, maybe on other machines."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple, Protocol

from pydantic import JsonValue


class StopSignal(Protocol):
    """Tells a function that runs on a cluster to end."""

    def wait(self, seconds: float) -> bool:
        """Wait until the function is to end.

        Args:
            seconds: The longest time to wait.

        Returns:
            True if it is to end.
        """
        ...


class Sealed(NamedTuple):
    """Content that a cluster carries; what it logs of it says nothing."""

    content: bytes

    def __repr__(self) -> str:
        return f"<{len(self.content)} bytes>"


class Lost(NamedTuple):
    """A call has no result: whoever made it has died, or was stopped."""

    reason: str
    """The fate of its worker, as far as the cluster knows."""


def call_by_name(function: str, *args: object) -> Sealed:
    """Call a function of this library, in a worker of a cluster.

    Args:
        function: Its module and its name, such as `package.module:function`.
        args: Its arguments.

    Raises:
        ImportError: If there is no such module: another version is installed.
    """
    module, _, name = function.partition(":")
    called: Callable[..., Sealed] = getattr(import_module(module), name)
    return called(*args)


class RemoteWork(NamedTuple):
    """A function to be called once, and where."""

    name: str
    """For displays of the cluster: the path of a step or a branch."""
    function: str
    """For `call_by_name`; called with the content and a `StopSignal`."""
    content: Sealed
    overrides: Mapping[str, JsonValue]
    """The block of the executor's configuration that the step has chosen."""


class RemoteCall(Protocol):
    """A function that a cluster calls, once."""

    def wait(self) -> Sealed | Lost:
        """Wait for its result; called once, in a thread that may wait."""
        ...

    def stop(self) -> object:
        """Have it end; called from any thread, any number of times."""
        ...


class Cluster(Protocol):
    """Worker processes that somebody else manages, such as those of Dask or Ray.

    It never calls a function again by itself: what a lost worker has begun is known to
    the engine, and its attempts are counted.
    """

    @property
    def name(self) -> str:
        """Its name for users, in errors."""
        ...

    def slots(self) -> int:
        """Return how many functions it calls at once; it connects if it has to.

        Raises:
            ConfigurationError: If it cannot be reached.
        """
        ...

    def ask_all(self, function: str, content: Sealed) -> Mapping[str, Sealed | Lost]:
        """Call a function in every worker that there is now.

        Args:
            function: For `call_by_name`; called with the content.
            content: Its argument.

        Returns:
            What it returned, by the name of the worker.
        """
        ...

    def submit(self, work: RemoteWork) -> RemoteCall:
        """Start to call a function.

        Args:
            work: Which one.
        """
        ...

    def close(self) -> None:
        """Disconnect; calling it again does nothing."""
        ...
