"""Run the task of a job as a Job of Kubernetes, now or on a schedule."""

from collections.abc import Sequence
from contextlib import closing
from typing import ClassVar

from pydantic import ConfigDict, Field

from runnable.executor.base import BaseJobExecutor
from runnable.executor.execution import ExecutionOptions, StepRequest
from runnable.executor.kubernetes.job_settings import JobSettings
from runnable.executor.kubernetes.settings import EITHER, Placement
from runnable.executor.local import LocalOptions
from runnable.executor.mounts import Mount, mounts_of
from runnable.graph import Graph


class _KubernetesJobs(LocalOptions, JobSettings, BaseJobExecutor):
    model_config = ConfigDict(extra="forbid", alias_generator=EITHER)

    _pull_policy: ClassVar[str] = "Always"

    @property
    def options(self) -> ExecutionOptions:
        """Launch the job as a Job, or have one started on a schedule."""
        from runnable.executor.kubernetes.job_manifest import job_manifest
        from runnable.executor.kubernetes.manifest import store_volumes
        from runnable.executor.kubernetes.scheduling import ScheduledJobs
        from runnable.executor.kubernetes.steps import JobLauncher, PlannedJob

        mounts = mounts_of(self._context.services)
        claim, folders = self._stores(mounts)
        volumes = store_volumes(claim, folders)
        placement = Placement(self.namespace, self.config_path, claim, self.auto_remove)

        def plan(request: StepRequest) -> PlannedJob:
            job = job_manifest(request, self, volumes, mounts, self._pull_policy)
            return PlannedJob(job, self.pending_seconds)

        launcher = (
            ScheduledJobs(plan, placement, creates=not self.mock)
            if self.mock or self.schedule
            else JobLauncher(plan, placement)
        )
        return super().options._replace(launcher=launcher)

    def _stores(self, mounts: Sequence[Mount]) -> tuple[str, Sequence[Mount]]:
        """Return the claim with the stores, or where their folders are on the node."""
        raise NotImplementedError

    def check(self, graph: Graph) -> None:
        """Refuse a cluster that does not answer."""
        from runnable.executor.kubernetes.steps import Api

        super().check(graph)
        if not self.mock:
            with closing(Api(self.config_path)) as api:
                api.check(self.namespace)


class KubernetesJobExecutor(_KubernetesJobs):
    """Runs the task of a job as a Job of Kubernetes, and follows it.

    Stores that keep files are in a claim, in its folders `run_logs` and `catalog`.

    Example:
        >>> container = {"image": "jobs:1"}
        >>> job = {"template": {"spec": {"container": container}}}
        >>> executor = KubernetesJobExecutor(jobSpec=job, pvc_claim_name="data")
        >>> executor.job_spec.backoff_limit
        6
    """

    service_name: str = "k8s-job"
    pvc_claim_name: str = Field(min_length=1)
    """The claim with the stores."""

    def _stores(self, mounts: Sequence[Mount]) -> tuple[str, Sequence[Mount]]:
        return self.pvc_claim_name, mounts


class MiniKubernetesJobExecutor(_KubernetesJobs):
    """The same for a cluster of one node, such as minikube, whose folders it uses.

    Example:
        >>> container = {"image": "jobs:1"}
        >>> job = {"template": {"spec": {"container": container}}}
        >>> MiniKubernetesJobExecutor(job_spec=job).mini_k8s_catalog_location
        '/volume/catalog/'
    """

    service_name: str = "mini-k8s-job"
    mini_k8s_run_log_location: str = "/volume/run_logs/"
    """The folder of the node with the run logs."""
    mini_k8s_catalog_location: str = "/volume/catalog/"
    """The folder of the node with the catalog."""

    _pull_policy: ClassVar[str] = "Never"

    def _stores(self, mounts: Sequence[Mount]) -> tuple[str, Sequence[Mount]]:
        folders = {
            "run_log_store": self.mini_k8s_run_log_location,
            "catalog": self.mini_k8s_catalog_location,
        }
        return "", [it._replace(here=folders[it.kind]) for it in mounts]
