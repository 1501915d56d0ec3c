"""The logs of steps: their attempts, their branches, and the files they put or got."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidatorFunctionWrapHandler,
    WrapSerializer,
    WrapValidator,
)

from runnable import defaults
from runnable.datastore.parameters import Parameter
from runnable.journal import CodeIdentity, DataCatalog
from runnable.system.moments import moment_of


class Model(BaseModel):
    """Part of a run log."""

    model_config = ConfigDict(defer_build=True, ser_json_inf_nan="constants")


def _checked(text: str) -> str:
    if text:
        moment_of(text)  # raises ValueError if it is damaged
    return text


Moment = Annotated[str, AfterValidator(_checked)]


class StepAttempt(Model):
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
    """The inputs of the task; empty until the attempt has ended."""
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


def files_at(steps: Iterable["StepLog"], stage: str) -> list[DataCatalog]:
    """Return the files that steps put or got."""
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


class StepLog(Model):
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
        return files_at(steps_in({self.internal_name: self}), stage)

    def get_summary(self) -> dict[str, object]:
        """Sum up the latest attempt, by the words of version 0.50."""
        got = [file.name for file in self.data_catalog if file.stage == "get"]
        summary = _summary(self.attempts, self.data_catalog, self.status)
        return {"Name": self.name, "Input catalog content": got, **summary}


class BranchLog(Model):
    """The record of one branch of a composite step."""

    internal_name: str
    status: str = defaults.PROCESSING
    parameters: dict[str, Parameter] = {}
    steps: Logs[StepLog] = {}
    """By full path of the step."""

    def get_data_catalogs_by_stage(self, stage: str = "put") -> list[DataCatalog]:
        """Return the files that the steps of this branch put or got; see `StepLog`."""
        return files_at(steps_in(self.steps), stage)


class JobLog(Model):
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


def steps_in(steps: Mapping[str, StepLog]) -> Iterator[StepLog]:
    """Yield steps, and after each those in its branches."""
    for step in steps.values():
        yield step
        for branch in step.branches.values():
            yield from steps_in(branch.steps)
