"""Jobs that are not run now: started on a schedule, or only looked at."""

# What the server says is JSON.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false

import json
import logging
from collections.abc import Callable

from runnable.executor.execution import LaunchedStep, StepReport, StepRequest
from runnable.executor.kubernetes.settings import Placement
from runnable.executor.kubernetes.steps import Api, JobLauncher, PlannedJob, text_of

logger = logging.getLogger(__name__)


class ScheduledJobs(JobLauncher):
    """Creates what starts a job on a schedule.

    Args:
        plan: Plans the CronJob, or the Job.
        placement: Where it is.
        creates: Whether it is created; it is logged only, if not.
    """

    def __init__(
        self,
        plan: Callable[[StepRequest], PlannedJob],
        placement: Placement,
        *,
        creates: bool,
    ) -> None:
        super().__init__(plan, placement)
        self._creates = creates

    def launch(self, request: StepRequest) -> LaunchedStep:
        """Prepare the CronJob of a job."""
        planned = self._plan(request)
        api = self.api() if self._creates else None
        return _Creation(api, planned, self._placement.namespace)


class _Creation:
    def __init__(self, api: Api | None, planned: PlannedJob, namespace: str) -> None:
        self._api = api
        self._manifest = planned.manifest
        self._namespace = namespace

    def wait(self) -> StepReport:
        """Create it."""
        kind, name = self._manifest["kind"], self._manifest["metadata"]["name"]
        what = f"{kind} {name!r} in namespace {self._namespace!r}"
        if self._api is None:
            logger.info("%s", json.dumps(self._manifest))
            return StepReport(True, "", instead=f"{what} is not created: mock is set")
        try:
            self._api.schedule(self._namespace, self._manifest)
        except Exception as error:  # noqa: BLE001 - whatever the client raises
            return StepReport(False, f"its CronJob was refused: {text_of(error)}")
        when = self._manifest["spec"]["schedule"]
        return StepReport(True, "", instead=f"{what} starts the job: {when}")

    def stop(self) -> None:
        """Do nothing: nothing is run."""
