"""Run tasks, and branches in chunks, on a Ray cluster."""

# Ray has few types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false

import threading
import time
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from runnable.concurrency import call_later
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

_GRACE_SECONDS = 5


class RayExecutor(ClusterExecutor):
    """Runs tasks on a Ray cluster, and branches in chunks.

    The stores of the run must be such that all workers can reach them. A block of
    `overrides` that a task chooses may have `num_cpus`, `num_gpus`, `memory` (bytes),
    `resources` and `scheduling_strategy`, as `ray.remote` has them. A process is
    connected to one Ray at a time; one that the program has connected to is used.

    Example:
        >>> RayExecutor(address="auto").service_name
        'ray'
    """

    override_keys: ClassVar[frozenset[str]] = frozenset({
        "num_cpus",
        "num_gpus",
        "memory",
        "resources",
        "scheduling_strategy",
    })
    service_name: str = "ray"
    address: str = ""
    """Of a cluster that there is, or `auto`; if empty, one is started on this machine,
    and kept until this process ends: starting it takes seconds."""
    n_workers: int | None = Field(default=None, ge=1)
    """How many processors it has then; all of the machine if None."""

    def cluster(self) -> Cluster:
        """Return the cluster."""
        return RayCluster(self.address, self.n_workers)


class RayCluster(Cluster):
    """A Ray cluster; connected, or started, when it is first needed.

    Args:
        address: Of the cluster; one is started if it is empty.
        n_workers: How many processors it has then.
    """

    def __init__(self, address: str, n_workers: int | None) -> None:
        self._address = address
        self._n_workers = n_workers
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Its name for users."""
        return f"Ray at {self._address}" if self._address else "a Ray of its own"

    def slots(self) -> int:
        """Return how many processors it has."""
        return max(1, int(self._connected().cluster_resources().get("CPU", 1)))

    def ask_all(self, function: str, content: Sealed) -> Mapping[str, Sealed | Lost]:
        """Call a function in a worker of each node that there is now."""
        ray = self._connected()
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        calls = {
            node["NodeID"]: ray.remote(call_by_name).options(
                max_retries=0,
                num_cpus=0,
                scheduling_strategy=NodeAffinitySchedulingStrategy(
                    node["NodeID"], soft=False
                ),
            )
            for node in ray.nodes()
            if node["Alive"]
        }
        refs = {it: call.remote(function, content) for it, call in calls.items()}
        return {node: _result(ray, ref) for node, ref in refs.items()}

    def submit(self, work: RemoteWork) -> RemoteCall:
        """Start to call a function."""
        ray = self._connected()
        options: dict[str, Any] = {"max_retries": 0, "name": work.name}
        call = ray.remote(_call).options(**options | dict(work.overrides))
        return _RayCall(ray, call.remote(work.function, work.content))

    def _connected(self) -> Any:  # the module; Ray has no types for this
        try:
            import ray
        except ImportError as error:
            problem = f"the executor 'ray' needs Ray ({error})"
            raise ConfigurationError(
                f"{problem}: pip install 'runnable[ray]'"
            ) from error
        with _CONNECTING:
            if not ray.is_initialized():
                self._connect(ray)
        return ray

    def _connect(self, ray: Any) -> None:
        own = {"num_cpus": self._n_workers, "include_dashboard": False}
        where = {"address": self._address} if self._address else own
        try:
            ray.init(**where, log_to_driver=False, configure_logging=False)
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigurationError(
                f"{self.name} cannot be reached: {type(error).__name__}: {error}. "
                "Check `address` of the executor 'ray'."
            ) from error

    def close(self) -> None:
        """Leave it: other runs of this process use it, and Ray ends with it."""


# Ray itself has one connection for each process.
_CONNECTING = threading.Lock()


class _NeverStop:
    """Ray interrupts a call itself."""

    def wait(self, seconds: float) -> bool:
        """Wait."""
        time.sleep(seconds)
        return False


def _call(function: str, content: Sealed) -> Sealed:
    return call_by_name(function, content, _NeverStop())


def _result(ray: Any, reference: object) -> Sealed | Lost:
    try:
        result: Sealed | Lost = ray.get(reference)
    except Exception as error:  # noqa: BLE001 - of Ray; the function raises nothing
        text = str(error).strip().partition("\n")[0]
        return Lost(f"its worker has died ({type(error).__name__}: {text})")
    return result


class _RayCall:
    """A function that Ray calls."""

    def __init__(self, ray: Any, reference: object) -> None:
        self._ray = ray
        self._reference = reference

    def wait(self) -> Sealed | Lost:
        """Wait for its result."""
        return _result(self._ray, self._reference)

    def stop(self) -> None:
        """Interrupt it; end its worker, if it has not ended a while later."""
        self._ray.cancel(self._reference, force=False)
        call_later(_GRACE_SECONDS, self._end)

    def _end(self) -> None:
        self._ray.cancel(self._reference, force=True)
