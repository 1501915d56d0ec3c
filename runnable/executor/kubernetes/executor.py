"""Run every step as a Job of Kubernetes."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pydantic import ConfigDict

from runnable.errors import ConfigurationError
from runnable.executor.base import BasePipelineExecutor
from runnable.executor.execution import ExecutionOptions, StepRequest
from runnable.executor.kubernetes.settings import EITHER, Placement, PodSettings
from runnable.executor.local import LocalOptions
from runnable.executor.mounts import Mount, mounts_of
from runnable.executor.overrides import chosen_overrides, with_override
from runnable.graph import Graph


class KubernetesExecutor(LocalOptions, PodSettings, BasePipelineExecutor):
    """Runs every task as a Job of Kubernetes, and follows it.

    Stores that keep files need a volume that this process and the pods see: the folders
    of this machine, on a cluster that is this machine (`stores_on_host`), or a claim
    with the folders `run_logs` and `catalog` (`stores_claim`), which this process has
    mounted where its configuration says.

    Example:
        >>> executor = KubernetesExecutor(image="flows:1", imagePullPolicy="Never")
        >>> executor.image_pull_policy
        'Never'
    """

    model_config = ConfigDict(extra="forbid", alias_generator=EITHER)

    service_name: str = "kubernetes"
    namespace: str = "default"
    """Of the Jobs."""
    config_path: str = ""
    """The configuration of `kubectl`; that of the pod this process is in, or the usual
    one, if empty."""
    stores_on_host: bool = False
    """Whether pods mount the stores from their node, which then is this machine."""
    stores_claim: str = ""
    """The claim that has the folders `run_logs` and `catalog`."""
    auto_remove: bool = True
    """Whether a Job is deleted when it has ended."""

    @property
    def options(self) -> ExecutionOptions:
        """Launch each step as a Job."""
        from runnable.executor.kubernetes.manifest import manifest
        from runnable.executor.kubernetes.steps import JobLauncher, PlannedJob

        mounts = mounts_of(self._context.services)
        self._check_stores(mounts)
        where = (self.namespace, self.config_path, self.stores_claim, self.auto_remove)
        placement = Placement(*where)

        def plan(request: StepRequest) -> PlannedJob:
            settings = with_override(self, PodSettings, request.override)
            for it in mounts if not self.stores_claim else ():
                # As the user of this process, before a pod does.
                Path(it.here).mkdir(parents=True, exist_ok=True)
            job = manifest(request, settings, placement, mounts)
            return PlannedJob(job, settings.pending_seconds)

        launcher = JobLauncher(plan, placement)
        return super().options._replace(launcher=launcher)

    def check(self, graph: Graph) -> None:
        """Refuse settings that are wrong, and a cluster that does not answer."""
        from runnable.executor.kubernetes.steps import Api

        super().check(graph)
        for override in dict.fromkeys(chosen_overrides(graph, self.service_name)):
            with_override(self, PodSettings, override)
        with closing(Api(self.config_path)) as api:
            api.check(self.namespace)

    def _check_stores(self, mounts: Sequence[Mount]) -> None:
        """Refuse stores whose files no pod would see."""
        if mounts and not (self.stores_on_host or self.stores_claim):
            folders = " and ".join(it.here for it in mounts)
            raise ConfigurationError(
                f"pods do not see {folders}: give the executor 'kubernetes' a volume "
                "for them (stores_claim; or stores_on_host, on a cluster that is this "
                "machine), or use stores such as postgres and s3"
            )
