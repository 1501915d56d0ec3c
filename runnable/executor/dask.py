"""Run tasks, and branches in chunks, on a Dask cluster."""

# Dask has few types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import contextlib
import os
import threading
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from runnable.errors import ConfigurationError
from runnable.executor.cluster import (
    Cluster,
    Lost,
    RemoteCall,
    RemoteWork,
    Sealed,
    call_by_name,
)
from runnable.executor.cluster_executor import ClusterExecutor
from runnable.system.main_program import import_path

_CONNECT_SECONDS = 20


class DaskExecutor(ClusterExecutor):
    """Runs tasks on a Dask cluster, and branches in chunks.

    The stores of the run must be such that all workers can reach them. A block of
    `overrides` that a task chooses may have `resources`, `workers`,
    `allow_other_workers` and `priority`, as `distributed.Client.submit` has them.

    Example:
        >>> DaskExecutor(scheduler_address="tcp://10.0.0.7:8786").service_name
        'dask'
    """

    override_keys: ClassVar[frozenset[str]] = frozenset({
        "resources",
        "workers",
        "allow_other_workers",
        "priority",
    })
    service_name: str = "dask"
    scheduler_address: str = ""
    """Of a cluster that there is; if empty, one is started on this machine for the run,
    which takes a second or two."""
    n_workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    """How many processes are started, without an address."""

    def cluster(self) -> Cluster:
        """Return the cluster."""
        return DaskCluster(self.scheduler_address, self.n_workers)


class DaskCluster(Cluster):
    """A Dask cluster; connected, or started, when it is first needed.

    Args:
        address: Of its scheduler; one is started if it is empty.
        n_workers: How many workers are started then.
    """

    def __init__(self, address: str, n_workers: int) -> None:
        self._address = address
        self._n_workers = n_workers
        self._lock = threading.Lock()
        self._open = contextlib.ExitStack()
        self._client: Any = None

    @property
    def name(self) -> str:
        """Its name for users."""
        return f"Dask at {self._address}" if self._address else "a Dask of its own"

    def slots(self) -> int:
        """Return how many threads its workers have."""
        threads: int = sum(self._connected().nthreads().values())
        return max(1, threads)

    def ask_all(self, function: str, content: Sealed) -> Mapping[str, Sealed | Lost]:
        """Call a function in every worker that there is now."""
        answers: dict[str, Any] = self._connected().run(
            call_by_name, function, content, on_error="return"
        )
        return {
            worker: it if isinstance(it, Sealed) else Lost(f"{type(it).__name__}: {it}")
            for worker, it in answers.items()
        }

    def submit(self, work: RemoteWork) -> RemoteCall:
        """Start to call a function."""
        from distributed import Event

        client, number = self._connected(), uuid.uuid4().hex
        begun = Event(f"begun-{number}", client=client)
        over = Event(f"end-{number}", client=client)
        future = client.submit(
            _call,
            work.function,
            work.content,
            number,
            key=f"{work.name}-{number}",
            pure=False,
            retries=0,
            **dict[str, Any](work.overrides),
        )
        return _DaskCall(future, begun, over)

    def _connected(self) -> Any:
        with self._lock:
            if self._client is None:
                try:
                    self._client = self._connect()
                except (OSError, TimeoutError, RuntimeError, ValueError) as error:
                    self._open.close()
                    raise ConfigurationError(
                        f"{self.name} cannot be reached: {type(error).__name__}: "
                        f"{error}. Check `scheduler_address` of the executor 'dask'."
                    ) from error
            return self._client

    def _connect(self) -> Any:
        try:
            from distributed import Client
        except ImportError as error:
            problem = f"the executor 'dask' needs Dask ({error})"
            raise ConfigurationError(
                f"{problem}: pip install 'runnable[dask]'"
            ) from error
        address: Any = self._address or self._open.enter_context(
            _started(self._n_workers)
        )
        client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        return self._open.enter_context(client)

    def close(self) -> None:
        """Disconnect, and end what was started."""
        with self._lock:
            self._client = None
            self._open.close()


def _started(n_workers: int) -> Any:  # a SpecCluster; Dask has no types
    from distributed.deploy.subprocess import SubprocessCluster

    # Not those that fork or import the script again: it may have no guard.
    path = os.pathsep.join(it for it in import_path() if it)
    without_dashboard: dict[str, Any] = {"dashboard_address": None}
    return SubprocessCluster(
        **without_dashboard,
        n_workers=n_workers,
        threads_per_worker=1,
        scheduler_kwargs={"allowed_failures": 0},
        worker_kwargs={"env": {"PYTHONPATH": path}, "memory_limit": 0},
    )


class _Stop:
    """The stop signal of a call, in the worker."""

    def __init__(self, event: Any) -> None:
        self._event = event

    def wait(self, seconds: float) -> bool:
        """Wait until the call is to end."""
        return bool(self._event.wait(timeout=seconds))


def _call(function: str, content: Sealed, number: str) -> Sealed | Lost:
    """Call a function, unless a worker before this one has: what it did is unknown."""
    from distributed import Event, get_client

    client = get_client()
    begun = Event(f"begun-{number}", client=client)
    over = Event(f"end-{number}", client=client)
    if begun.is_set():
        return Lost("its worker has died, or was cut off")
    begun.set()
    return call_by_name(function, content, _Stop(over))


class _DaskCall:
    """A function that Dask calls."""

    def __init__(self, future: Any, begun: Any, over: Any) -> None:
        self._future = future
        self._begun = begun
        self._over = over

    def wait(self) -> Sealed | Lost:
        """Wait for its result."""
        from concurrent.futures import CancelledError

        try:
            result: Sealed | Lost = self._future.result()
        except CancelledError:
            return Lost("it was cancelled, or the scheduler is gone")
        except Exception as error:  # noqa: BLE001 - of Dask; the function raises nothing
            return Lost(f"its worker has died ({type(error).__name__}: {error})")
        return result

    def stop(self) -> None:
        """Have it end; what has not begun is cancelled."""
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self._over.set()
            if not self._begun.is_set():
                self._future.cancel()
