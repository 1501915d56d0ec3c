"""The run log: what happened in one run, as users read it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from html import escape
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    WrapSerializer,
    WrapValidator,
)

from runnable import defaults
from runnable.datastore.errors import BranchLogNotFoundError, StepLogNotFoundError
from runnable.datastore.parameters import Parameter
from runnable.graph.paths import join, parent
from runnable.journal import CodeIdentity, DataCatalog
from runnable.pictures.chart import EACH
from runnable.system.moments import moment_of


class _Record(BaseModel):
    model_config = ConfigDict(defer_build=True, ser_json_inf_nan="constants")


def _checked(text: str) -> str:
    if text:
        moment_of(text)  # raises ValueError if it is damaged
    return text


Moment = Annotated[str, AfterValidator(_checked)]


class StepAttempt(_Record):
    """One try of a step."""

    attempt_number: int
    """From 1."""
    start_time: Moment = ""
    """UTC, with the offset; year first, with microseconds."""
    end_time: Moment = ""
    status: str = defaults.FAIL
    message: str = ""
    """The error, in one line; empty if there was none."""
    traceback: str = ""
    input_parameters: dict[str, Parameter] = {}
    """What the task was given; empty until the attempt has ended."""
    output_parameters: dict[str, Parameter] = {}
    user_defined_metrics: dict[str, Parameter] = {}
    retry_indicator: str = ""
    code_identities: list[CodeIdentity] = []
    cached_from: str = ""
    """`<run id>/<step path>` of the attempt that was reused; empty if it was run."""

    @property
    def duration(self) -> timedelta:
        """How long the attempt took; zero while it runs."""
        if not self.start_time or not self.end_time:
            return timedelta()
        return moment_of(self.end_time) - moment_of(self.start_time)


Log = TypeVar("Log")


def _validate(
    logs: Mapping[str, Log], handler: ValidatorFunctionWrapHandler
) -> Mapping[str, Log]:
    # Values that this code makes are valid.
    made: Mapping[str, Log] = logs if _makes_its_values(logs) else handler(logs)
    return made


def _serialise(
    logs: Mapping[str, Log], handler: SerializerFunctionWrapHandler
) -> object:
    return handler(dict(logs) if _makes_its_values(logs) else logs)


def _makes_its_values(logs: object) -> bool:
    return isinstance(logs, Mapping) and not isinstance(logs, dict)


Logs = Annotated[
    Mapping[str, Log], WrapValidator(_validate), WrapSerializer(_serialise)
]
"""Logs by path. A run that was read makes each when it is looked at: keep the one that
you look at, rather than looking at it again."""


def _files(steps: Iterable["StepLog"], stage: str) -> list[DataCatalog]:
    files = (file for step in steps for file in step.data_catalog)
    return [file for file in files if file.stage == stage]


def _values(parameters: Mapping[str, Parameter]) -> list[tuple[str, object]]:
    return [(name, it.value) for name, it in parameters.items()]


def _summary(
    attempts: Sequence[StepAttempt], files: Iterable[DataCatalog], status: str
) -> dict[str, object]:
    """Return the summary that version 0.50 prints of a step, by its words."""
    attempt = attempts[-1] if attempts else StepAttempt(attempt_number=1)
    put = [file.name for file in files if file.stage == "put"]
    identities = [
        f"{it.code_identifier_type}:{it.code_identifier}"
        + ("" if it.code_identifier_dependable else " but is not dependable")
        for it in attempt.code_identities
    ]
    return {
        "Available parameters": _values(attempt.input_parameters),
        "Output catalog content": put,
        "Output parameters": _values(attempt.output_parameters),
        "Metrics": _values(attempt.user_defined_metrics),
        "Code identities": identities,
        "status": status,
    }


class StepLog(_Record):
    """The record of one step."""

    name: str
    internal_name: str
    """The path of the step."""
    status: str = defaults.CREATED
    step_type: str = "task"
    message: str = ""
    """Of a step with branches, why it failed or what is odd; else empty."""
    traceback: str = ""
    mock: bool = False
    attempts: list[StepAttempt] = []
    branches: "Logs[BranchLog]" = {}
    """By full path of the branch."""
    data_catalog: list[DataCatalog] = []

    def get_data_catalogs_by_stage(self, stage: str = "put") -> list[DataCatalog]:
        """Return the files that this step, and those in its branches, put or got.

        Args:
            stage: `put` or `get`.
        """
        return _files(_steps_in({self.internal_name: self}), stage)

    def get_summary(self) -> dict[str, object]:
        """Sum up the latest attempt, by the words of version 0.50."""
        got = [file.name for file in self.data_catalog if file.stage == "get"]
        summary = _summary(self.attempts, self.data_catalog, self.status)
        return {"Name": self.name, "Input catalog content": got, **summary}


class BranchLog(_Record):
    """The record of one branch of a composite step."""

    internal_name: str
    status: str = defaults.PROCESSING
    parameters: dict[str, Parameter] = {}
    steps: Logs[StepLog] = {}
    """By full path of the step."""

    def get_data_catalogs_by_stage(self, stage: str = "put") -> list[DataCatalog]:
        """Return the files that the steps of this branch put or got; see `StepLog`."""
        return _files(_steps_in(self.steps), stage)


class JobLog(_Record):
    """The record of the one task of a job."""

    status: str = defaults.CREATED
    message: str = ""
    mock: bool = False
    code_identities: list[CodeIdentity] = []
    attempts: list[StepAttempt] = []
    data_catalog: list[DataCatalog] = []

    def get_summary(self) -> dict[str, object]:
        """Sum up the latest attempt, by the words of version 0.50."""
        return _summary(self.attempts, self.data_catalog, self.status)


class RunLog(_Record):
    """The record of one run.

    Example:
        >>> RunLog(run_id="r1", status="SUCCESS").status
        'SUCCESS'
    """

    run_id: str
    dag_hash: str | None = None
    tag: str = ""
    status: str = defaults.FAIL
    parameters: dict[str, Parameter] = {}
    """The parameters of the root scope, as they are at the end."""
    steps: Logs[StepLog] = {}
    """Root steps by name, in the order in which they started."""
    job: JobLog | None = None
    run_config: dict[str, JsonValue] = {}

    def all_steps(self) -> Iterator[StepLog]:
        """Yield every step, those in branches after the step they belong to."""
        return _steps_in(self.steps)

    def get_data_catalogs_by_stage(self, stage: str = "put") -> list[DataCatalog]:
        """Return the files that steps put or got, those in branches included.

        Args:
            stage: `put` or `get`.
        """
        return _files(self.all_steps(), stage)

    def get_summary(self) -> dict[str, object]:
        """Sum up the run, by the words of version 0.50; see `runnable.summarise`."""
        catalog, store = (
            self.run_config.get(kind) for kind in ("catalog", "run_log_store")
        )
        return {
            "Unique execution id": self.run_id,
            "status": self.status,
            "Catalog Location": catalog,
            "Full Run log present at: ": store,
            "Final Parameters": {
                name: it.value for name, it in self.parameters.items()
            },
            "Collected metrics": self.metrics(),
        }

    def counts(self) -> dict[str, dict[str, int]]:
        """Count the steps by status, those of all items of a map together.

        Returns:
            Counts by status, by the path of the step with `*` for the branches of maps
            and loops.

        Example:
            >>> step = {"name": "s", "internal_name": "s", "status": "SUCCESS"}
            >>> RunLog.model_validate({"run_id": "r1", "steps": {"s": step}}).counts()
            {'s': {'SUCCESS': 1}}
        """
        counts: dict[str, dict[str, int]] = {}
        for path, status in _statuses(self.steps, ""):
            of_step = counts.setdefault(path, {})
            of_step[status] = of_step.get(status, 0) + 1
        return counts

    def to_svg(self) -> str:
        """Draw the pipeline of the run, with a colour for each status.

        Notebooks show it by themselves. A job has no picture.

        Example:
            >>> RunLog(run_id="r1").to_svg()
            ''
        """
        from runnable.pictures import as_svg, chart_of

        described = self.run_config.get("dag")
        if not isinstance(described, dict):
            return ""
        return as_svg(chart_of(described, self.counts()))

    def _repr_html_(self) -> str:
        title = escape(f"{self.run_id}: {self.status}")
        return f"<p><b>{title}</b></p>{self.to_svg()}"

    def metrics(self) -> dict[str, JsonValue]:
        """Return every metric by name, the latest of each name."""
        return {
            name: parameter.get_value()
            for step in self.all_steps()
            for attempt in step.attempts
            for name, parameter in attempt.user_defined_metrics.items()
            if parameter.kind == "metric"
        } | {
            # Values that a map reduced from its branches.
            name: parameter.get_value()
            for name, parameter in self.parameters.items()
            if parameter.kind == "metric"
        }

    def search_step_by_internal_name(
        self, i_name: str
    ) -> "tuple[StepLog, BranchLog | None]":
        """Find a step.

        Args:
            i_name: The path of the step.

        Returns:
            The step, and the branch that it is in, or None for the root.

        Raises:
            StepLogNotFoundError: If there is none.
        """
        try:
            where = self.search_branch_by_internal_name(parent(i_name))[0]
            return where.steps[i_name], where if isinstance(where, BranchLog) else None
        except (KeyError, BranchLogNotFoundError):
            known = [step.internal_name for step in self.all_steps()]
            raise StepLogNotFoundError(self.run_id, i_name, known) from None

    def search_branch_by_internal_name(
        self, i_name: str
    ) -> "tuple[BranchLog | RunLog, StepLog | None]":
        """Find a branch.

        Args:
            i_name: The path of the branch; empty for the run itself.

        Returns:
            The branch and the step it belongs to; this run log and None for the root.

        Raises:
            BranchLogNotFoundError: If there is none.
        """
        if not i_name:
            return self, None
        try:
            step = self.search_step_by_internal_name(parent(i_name))[0]
            return step.branches[i_name], step
        except (KeyError, StepLogNotFoundError):
            raise BranchLogNotFoundError(self.run_id, i_name) from None


def _statuses(steps: Mapping[str, StepLog], at: str) -> Iterator[tuple[str, str]]:
    for step in steps.values():
        path = join(at, step.name)
        yield path, step.status
        is_folded = step.step_type in {"map", "loop"}
        for name, branch in step.branches.items():
            own = EACH if is_folded else name.rpartition(".")[2]
            yield from _statuses(branch.steps, join(path, own))


def _steps_in(steps: Mapping[str, StepLog]) -> Iterator[StepLog]:
    for step in steps.values():
        yield step
        for branch in step.branches.values():
            yield from _steps_in(branch.steps)
