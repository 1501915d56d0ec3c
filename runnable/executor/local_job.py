"""Run the task of a job in this process."""

from collections.abc import Mapping
from typing import ClassVar

from runnable.datastore import AnyParameter, RunLog
from runnable.engine import Conditions, Runtime
from runnable.executor.base import BaseJobExecutor
from runnable.executor.local import RunsHere, run_here
from runnable.graph import ONE_ATTEMPT, CatalogSettings, JobNode, Policy
from runnable.tasks import BaseTaskType


class LocalJobExecutor(RunsHere, BaseJobExecutor):
    """Runs the task of a job in this process."""

    stateless: ClassVar[bool] = True
    service_name: str = "local"

    async def submit_job(
        self,
        job: BaseTaskType,
        catalog_settings: CatalogSettings,
        parameters: Mapping[str, AnyParameter],
        runtime: Runtime,
        policy: Policy = ONE_ATTEMPT,
    ) -> RunLog:
        """Run the job here."""
        node = JobNode(
            name="job",
            next_node="",
            task=job,
            catalog=catalog_settings,
            policy=policy,
        )
        conditions = Conditions(console=self.console, workspace=self.workspace)
        return await run_here(node, parameters, runtime, conditions=conditions)
