"""The run log: what happened in one run, as users read it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from runnable import defaults
from runnable.datastore.code_versions import CodeVersion
from runnable.datastore.parameters import Parameter
from runnable.exceptions import BranchLogNotFoundError, StepLogNotFoundError

TIME_FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class _Record(BaseModel):
    model_config = ConfigDict(defer_build=True, ser_json_inf_nan="constants")


class CodeIdentity(_Record):
    """Which version of the user's code ran."""

    code_identifier: str | None = None
    """The commit; None outside a repository."""
    code_identifier_type: str = "git"
    code_identifier_dependable: bool = False
    """Whether the commit says it all: nothing is changed, staged or untracked."""
    code_identifier_url: str | None = None
    code_identifier_message: str | list[str] = ""
    """Files that differ from the commit."""

    @classmethod
    def of(cls, version: CodeVersion) -> "CodeIdentity":
        """Make the identity that stands for what git answered."""
        return cls(
            code_identifier=version.commit,
            code_identifier_dependable=bool(version.commit) and not version.changed,
            code_identifier_url=version.remote,
            code_identifier_message=list(version.changed) or "",
        )


class DataCatalog(_Record):
    """A file that a step put into the catalog, or got from it."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    name: str
    """Path relative to the compute folder."""
    data_hash: str = ""
    """SHA-256 of the content, 64 hexadecimal digits."""
    catalog_relative_path: str = ""
    catalog_handler_location: str = ""
    stage: str = ""
    """`put` or `get`."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DataCatalog) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


class StepAttempt(_Record):
    """One try of a step."""

    attempt_number: int
    """From 1."""
    start_time: str = ""
    """Local time; year first, with microseconds, without a zone."""
    end_time: str = ""
    status: str = defaults.FAIL
    message: str = ""
    """The error, in one line; empty if there was none."""
    traceback: str = ""
    input_parameters: dict[str, Parameter] = {}
    output_parameters: dict[str, Parameter] = {}
    user_defined_metrics: dict[str, Parameter] = {}
    retry_indicator: str = ""
    code_identities: list[CodeIdentity] = []

    @property
    def duration(self) -> timedelta:
        """How long the attempt took; zero while it runs."""
        if not self.start_time or not self.end_time:
            return timedelta()
        return _parse(self.end_time) - _parse(self.start_time)


def _parse(text: str) -> datetime:
    return datetime.strptime(text, TIME_FORMAT)  # noqa: DTZ007 - local, as documented


class StepLog(_Record):
    """What happened to one step."""

    name: str
    internal_name: str
    """The path of the step."""
    status: str = defaults.CREATED
    step_type: str = "task"
    message: str = ""
    mock: bool = False
    attempts: list[StepAttempt] = []
    branches: "dict[str, BranchLog]" = {}
    """By full path of the branch."""
    data_catalog: list[DataCatalog] = []


class BranchLog(_Record):
    """What happened in one branch of a composite step."""

    internal_name: str
    status: str = defaults.PROCESSING
    steps: dict[str, StepLog] = {}
    """By full path of the step."""
    parameters: dict[str, Parameter] = {}


class JobLog(_Record):
    """What happened to the one task of a job."""

    status: str = defaults.CREATED
    message: str = ""
    mock: bool = False
    code_identities: list[CodeIdentity] = []
    attempts: list[StepAttempt] = []
    data_catalog: list[DataCatalog] = []


class RunLog(_Record):
    """What happened in one run.

    Example:
        >>> RunLog(run_id="r1", status="SUCCESS").status
        'SUCCESS'
    """

    run_id: str
    dag_hash: str | None = None
    tag: str = ""
    status: str = defaults.FAIL
    steps: dict[str, StepLog] = Field(default={})
    """Root steps by name, in the order in which they started."""
    job: JobLog | None = None
    parameters: dict[str, Parameter] = {}
    """The parameters of the root scope, as they are at the end."""
    run_config: dict[str, JsonValue] = {}

    def all_steps(self) -> Iterator[StepLog]:
        """Yield every step, those in branches after the step they belong to."""
        waiting = list(reversed(self.steps.values()))
        while waiting:
            step = waiting.pop()
            yield step
            for branch in reversed(step.branches.values()):
                waiting.extend(reversed(branch.steps.values()))

    def metrics(self) -> dict[str, JsonValue]:
        """Return every metric by name, the latest of each name."""
        return {
            name: parameter.get_value()
            for step in self.all_steps()
            for attempt in step.attempts
            for name, parameter in attempt.user_defined_metrics.items()
            if parameter.kind == "metric"
        }

    def search_step_by_internal_name(
        self, i_name: str
    ) -> "tuple[StepLog, BranchLog | None]":
        """Find a step.

        Args:
            i_name: The path of the step.

        Returns:
            The step, and the branch it stands in or None for the root.

        Raises:
            StepLogNotFoundError: If there is none.
        """
        parent, _, _ = i_name.rpartition(".")
        try:
            where = self.search_branch_by_internal_name(parent)[0]
            return where.steps[i_name], where if isinstance(where, BranchLog) else None
        except (KeyError, BranchLogNotFoundError):
            raise StepLogNotFoundError(self.run_id, i_name) from None

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
        for step in self.all_steps():
            if i_name in step.branches:
                return step.branches[i_name], step
        raise BranchLogNotFoundError(self.run_id, i_name)
