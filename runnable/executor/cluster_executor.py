"""The common part of executors that run steps on a cluster."""

import abc
from typing import ClassVar

from pydantic import Field

from runnable.errors import ConfigurationError
from runnable.executor.base import BasePipelineExecutor
from runnable.executor.cluster import Cluster
from runnable.executor.execution import ExecutionOptions
from runnable.executor.local import LocalOptions
from runnable.graph import Overlap


class ClusterExecutor(LocalOptions, BasePipelineExecutor, abc.ABC):
    """Runs tasks on a cluster, and branches in chunks.

    The stores of the run must be such that all workers can reach them.
    """

    override_keys: ClassVar[frozenset[str]]
    """The options of a block of `overrides`, which are the cluster's own."""
    max_workers: int | None = Field(default=None, ge=1)
    """How many chunks of a step are sent at once; two for each function that the
    cluster calls at once, so that no worker waits for the next one."""

    @abc.abstractmethod
    def cluster(self) -> Cluster:
        """Return the cluster; it connects when it is first needed."""

    @property
    def options(self) -> ExecutionOptions:
        """Run tasks on the cluster, and branches in chunks."""
        return ExecutionOptions(
            Overlap("process", self.max_workers),
            self.console,
            self.workspace,
            cluster=self.cluster(),
        )

    def model_post_init(self, context: object, /) -> None:
        """Refuse overrides that the cluster does not know."""
        super().model_post_init(context)
        for name, block in self.overrides.items():
            if unknown := sorted(set(block) - self.override_keys):
                raise ConfigurationError(
                    f"the executor {self.service_name!r} has no {unknown} in overrides."
                    f"{name}; there are {sorted(self.override_keys)}"
                )
