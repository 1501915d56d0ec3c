"""Run the task of a job in this process."""

from collections.abc import Mapping
from typing import ClassVar

from runnable.datastore import AnyParameter, RunLog
from runnable.engine import Runtime
from runnable.executor.base import BaseJobExecutor
from runnable.executor.local import RunsHere
from runnable.graph import ONE_ATTEMPT, CatalogSettings, Policy
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
        return await self.execute_job(
            job, catalog_settings, parameters, runtime, policy
        )
