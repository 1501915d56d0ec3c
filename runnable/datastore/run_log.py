"""The run log: what happened in one run, as users read it."""

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import JsonValue, PrivateAttr

from runnable import defaults
from runnable.datastore.errors import (
    ArtifactNotFoundError,
    BranchLogNotFoundError,
    StepLogNotFoundError,
)
from runnable.datastore.log_entries import StepEntry
from runnable.datastore.outlines import branches_of, entries_of, metrics_of, steps_of
from runnable.datastore.outputs import Outputs, as_type
from runnable.datastore.parameters import Parameter
from runnable.datastore.run_files import (
    ExecutionLog,
    FileSource,
    Part,
    Reader,
    RunFile,
    execution_logs_of,
    files_of,
    text_of,
)
from runnable.datastore.step_logs import (
    BranchLog,
    JobLog,
    Logs,
    Model,
    StepLog,
    files_at,
    steps_in,
)
from runnable.errors import did_you_mean
from runnable.graph import TERMINAL_NAMES, join, parent
from runnable.journal import AnyParameter, DataCatalog
from runnable.pictures.chart import EACH

if TYPE_CHECKING:
    from pandas import DataFrame

_JOB = "job"
T = TypeVar("T")


class RunLog(Model):
    """The record of one run.

    Example:
        >>> RunLog(run_id="r1", status="SUCCESS").status
        'SUCCESS'
    """

    run_id: str
    dag_hash: str | None = None
    tag: str = ""
    tags: dict[str, str] = {}
    notes: dict[str, str] = {}
    status: str = defaults.FAIL
    parameters: dict[str, Parameter] = {}
    """The parameters of the root scope, as they are at the end."""
    steps: Logs[StepLog] = {}
    """Root steps by name, in the order in which they started."""
    job: JobLog | None = None
    run_config: dict[str, JsonValue] = {}

    _reader: Reader = PrivateAttr(default_factory=Reader)

    def __getstate__(self) -> dict[Any, Any]:
        # Where files are read from belongs to this process.
        return {**super().__getstate__(), "__pydantic_private__": {"_reader": Reader()}}

    def bind(self, source: FileSource) -> None:
        """Set where the files of the run are read from."""
        self._reader = Reader(source)

    @property
    def outputs(self) -> Outputs:
        """The values that steps returned, by name, as of the end of the run.

        Values are plain Python values; an object is loaded when it is looked up.

        Example:
            >>> from runnable import Pipeline, PythonTask
            >>> def mean(xs):
            ...     return sum(xs) / len(xs)
            >>> pipeline = PythonTask(function=mean, returns=["average"]).as_pipeline()
            >>> services = {"run_log_store": {"type": "memory"},
            ...             "catalog": {"type": "do-nothing"}}
            >>> run_log = pipeline.execute(parameters={"xs": [1, 2]}, services=services)
            >>> run_log.outputs
            {'average': 1.5}
            >>> run_log["average"], run_log.output("average", float)
            (1.5, 1.5)
        """
        return Outputs(self.run_id, self.parameters, self._returned)

    def _returned(self) -> set[str]:
        """Return the names that steps have handed to the run."""
        attempts = list(self.job.attempts) if self.job is not None else []
        for step in self.steps.values():
            attempts += step.attempts
            # What is in branches becomes the run's when their step succeeds.
            if step.branches and step.status == defaults.SUCCESS:
                inner = (steps_in(it.steps) for it in step.branches.values())
                attempts += [
                    it for steps in inner for at in steps for it in at.attempts
                ]
        return {name for attempt in attempts for name in attempt.output_parameters}

    def output(self, name: str, kind: type[T]) -> T:
        """Return an output of the run as an object of a type.

        Args:
            name: The name under which it was returned.
            kind: A class, such as `float`, `list[int]`, a dataclass or a model, which
                is made of the recorded mapping.

        Raises:
            ArtifactNotFoundError: If nothing of this name was returned.
            OutputTypeError: If it is not of the type.
        """
        return as_type(name, self[name], kind)

    def __getitem__(self, name: str) -> object:
        """Return a value by its name; see `artifact`."""
        return self.artifact(name)

    def __contains__(self, name: object) -> bool:
        """Return True if a value of this name can be looked up."""
        if name in self.parameters:
            return True
        attempts = (it for part in self._parts() for it in part.attempts)
        return any(name in it.output_parameters for it in attempts)

    def artifact(self, name: str, step: str = "") -> object:
        """Return a value, a metric or an object that the run has made.

        Args:
            name: The name under which it was returned.
            step: The path of the step that returned it; if empty, the run's own at its
                end, or else the latest of any step.

        Returns:
            The value; an object is loaded from the catalog.

        Raises:
            ArtifactNotFoundError: If nothing of this name was returned.
            ObjectNotLoadableError: If an object cannot be unpickled here.

        Example:
            >>> run_log = RunLog(run_id="r1", parameters={"x": {"kind": "json",
            ...                                                "value": 3}})
            >>> run_log.artifact("x")
            3
        """
        if not step and name in self.parameters:
            return self.parameters[name].get_value()
        known: dict[str, AnyParameter] = {}
        for part in self._parts():
            if step in {"", part.path}:
                for attempt in part.attempts:
                    known |= attempt.output_parameters
        known |= self.parameters if not step else {}
        if name not in known:
            where = f"step {step!r} of run" if step else "run"
            hint = did_you_mean(name, list(known))
            problem = f"is not in {where} {self.run_id!r}. {hint}"
            raise ArtifactNotFoundError(name, problem)
        return known[name].get_value()

    def files(self) -> list[RunFile]:
        """List the files and objects that the catalog keeps of the run.

        Returns:
            The latest of each place, in the order in which steps have put them.

        Example:
            >>> RunLog(run_id="r1").files()
            []
        """
        return files_of(self.run_id, self._parts(), self._reader)

    def execution_logs(self, step: str = "") -> Iterator[ExecutionLog]:
        """Yield what each attempt has printed, in the order of the steps.

        Args:
            step: The path of a step: only that, and what is in it; all if empty.

        Raises:
            StoreError: If the run log does not know its catalog.

        Example:
            >>> list(RunLog(run_id="r1").execution_logs())
            []
        """
        within = (
            part
            for part in self._parts()
            if part.prints and (not step or f"{part.path}.".startswith(f"{step}."))
        )
        return execution_logs_of(within, self._reader)

    def execution_log(self, step: str, attempt: int = 1) -> str:
        """Return what one attempt of a step has printed; empty if that is nothing.

        Args:
            step: The path of the step; `job` for that of a job.
            attempt: The number of the attempt.

        Raises:
            StoreError: If the run log does not know its catalog.
        """
        return text_of(self._reader, step, attempt)

    def _parts(self) -> Iterator[Part]:
        if self.job is not None:
            yield Part(_JOB, self.job.data_catalog, self.job.attempts)
        for it in self.all_steps():
            prints = it.step_type not in TERMINAL_NAMES
            yield Part(it.internal_name, it.data_catalog, it.attempts, prints)

    def to_frame(self) -> "DataFrame":
        """Make a table of pandas: a row for each attempt of each step, with metrics.

        See `runnable.datastore.frames.steps_to_frame` for its columns.
        """
        from runnable.datastore.frames import steps_to_frame

        return steps_to_frame(self.all_steps())

    def all_steps(self) -> Iterator[StepLog]:
        """Yield every step, those in branches after the step they belong to."""
        return steps_in(self.steps)

    def get_data_catalogs_by_stage(self, stage: str = "put") -> list[DataCatalog]:
        """Return the files that steps put or got, those in branches included.

        Args:
            stage: `put` or `get`.
        """
        return files_at(self.all_steps(), stage)

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
            "Collected metrics": self.metrics,
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
        for path, status in _statuses(entries_of(self.steps), ""):
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
        # Version 0.50 has recorded others.
        if not isinstance(described, dict) or "nodes" not in described:
            return ""
        return as_svg(chart_of(described, self.counts()))

    def _repr_html_(self) -> str:
        title = escape(f"{self.run_id}: {self.status}")
        return f"<p><b>{title}</b></p>{self.to_svg()}"

    @property
    def metrics(self) -> dict[str, JsonValue]:
        """Every metric by name, the latest of each name."""
        return dict(metrics_of(self.steps)) | {
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


def _statuses(steps: Iterable[StepEntry], at: str) -> Iterator[tuple[str, str]]:
    for step in steps:
        path = join(at, step.name)
        yield path, step.status
        is_folded = step.step_type in {"map", "loop"}
        for branch in branches_of(step):
            own = EACH if is_folded else branch.path.rpartition(".")[2]
            yield from _statuses(steps_of(branch), join(path, own))
