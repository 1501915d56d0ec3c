"""The logs of steps and branches in a run log, made when they are looked at.

Each is made of its entry: into a model, or into JSON values.
"""

import abc
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

from runnable.datastore.log_entries import (
    AttemptEntry,
    BranchEntry,
    Packed,
    SharedValues,
    StepEntry,
)
from runnable.datastore.run_log import BranchLog, JobLog, StepLog
from runnable.journal import AnyParameter, ObjectLoader, StoredObject

Log = TypeVar("Log", StepLog, BranchLog)
Shown = Callable[[Packed], dict[str, Any]]
"""Turns parameters into what a log has of them."""
_RECENT = 32
_SHOWN = 3


class OfRun(NamedTuple):
    """What is the same for all logs of a run."""

    codes: list[list[dict[str, Any]]]
    """Its code identities as JSON values: at its start, and whenever it was resumed."""
    retry_indicator: str
    loader: ObjectLoader | None
    shared: SharedValues

    def parameters(self, packed: Packed) -> dict[str, AnyParameter]:
        """Make parameters."""
        made = {name: self.shared.parameter(it) for name, it in packed.items()}
        bind_all(made, self.loader)
        return made

    def plain_parameters(self, packed: Packed) -> dict[str, Any]:
        """Return parameters as JSON values."""
        return {name: self.shared.plain(it) for name, it in packed.items()}

    def attempts(self, entry: StepEntry, shown: Shown) -> list[dict[str, Any]]:
        """Return the fields of all attempts of a step."""
        return [self._attempt(AttemptEntry(*it), shown) for it in entry.attempts]

    def _attempt(self, entry: AttemptEntry, shown: Shown) -> dict[str, Any]:
        metrics = {
            name: it
            for name, it in entry.outputs.items()
            if self.shared.kind(it) == "metric"
        }
        return {
            "attempt_number": entry.number,
            "start_time": entry.start,
            "end_time": entry.end,
            "status": entry.status,
            "message": entry.message,
            "traceback": entry.traceback,
            "input_parameters": shown(entry.inputs),
            "output_parameters": shown(entry.outputs),
            "user_defined_metrics": shown(metrics),
            "retry_indicator": self.retry_indicator,
            "code_identities": self.codes[entry.code],
            "cached_from": entry.cached_from,
        }

    def job_log(self, entry: StepEntry) -> JobLog:
        """Make the log of a job."""
        return JobLog.model_validate({
            "status": entry.status,
            "code_identities": self.codes[-1],
            "attempts": self.attempts(entry, self.parameters),
            "data_catalog": entry.files,
        })


def bind_all(
    parameters: Mapping[str, AnyParameter], loader: ObjectLoader | None
) -> None:
    """Set the loader of all objects among some parameters."""
    for parameter in parameters.values():
        if isinstance(parameter, StoredObject) and loader is not None:
            parameter.bind(loader)


class PackedLogs(Mapping[str, Log], abc.ABC):
    """A mapping whose logs are made when they are looked at; the latest are kept.

    Args:
        entries: By path; they may be packed.
        run: What all logs of the run have in common.
    """

    within: ClassVar[str]
    """The field of each log that has further logs."""

    def __init__(self, entries: Mapping[str, Any], run: OfRun) -> None:
        self._entries = entries
        self._run = run
        self._recent: dict[str, Log] = {}

    @abc.abstractmethod
    def _make(self, entry: Any) -> Log:
        """Make the log of an entry."""

    @abc.abstractmethod
    def _plain(self, entry: Any) -> "tuple[dict[str, Any], PackedLogs[Any]]":
        """Return the fields of a log as JSON values, and the logs within it."""

    def plain(self) -> "Iterator[tuple[str, dict[str, Any], PackedLogs[Any]]]":
        """Yield the path of each log, its fields as JSON values, and the logs in it."""
        for path, entry in self._entries.items():
            fields, inner = self._plain(entry)
            yield path, fields, inner

    def __getitem__(self, key: str) -> Log:
        try:
            return self._recent[key]
        except KeyError:
            log = self._make(self._entries[key])
        if len(self._recent) >= _RECENT:
            self._recent.clear()
        self._recent[key] = log
        return log

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __repr__(self) -> str:
        more = ", ..." if len(self) > _SHOWN else ""
        return f"<{len(self)} logs: {', '.join(list(self)[:_SHOWN])}{more}>"

    def __reduce__(self) -> tuple[type[dict[str, Log]], tuple[dict[str, Log]]]:
        # Its loader belongs to this process.
        return dict, (dict(self),)


class PackedSteps(PackedLogs[StepLog]):
    """The steps of a run or of a branch, by path."""

    within = "branches"

    def _make(self, entry: bytes | StepEntry) -> StepLog:
        step = StepEntry.unpacked(entry)
        fields = self._fields(step, self._run.parameters)
        branches = PackedBranches(step.branches, self._run)
        return StepLog.model_validate(fields | {"branches": branches})

    def _plain(
        self, entry: bytes | StepEntry
    ) -> "tuple[dict[str, Any], PackedBranches]":
        step = StepEntry.unpacked(entry)
        fields = self._fields(step, self._run.plain_parameters)
        return fields, PackedBranches(step.branches, self._run)

    def _fields(self, step: StepEntry, shown: Shown) -> dict[str, Any]:
        return {
            "name": step.name,
            "internal_name": step.path,
            "status": step.status,
            "step_type": step.step_type,
            "message": step.message,
            "traceback": step.traceback,
            "mock": False,
            "attempts": self._run.attempts(step, shown),
            "branches": {},
            "data_catalog": step.files,
        }


class PackedBranches(PackedLogs[BranchLog]):
    """The branches of a step, by path."""

    within = "steps"

    def _make(self, entry: bytes | BranchEntry) -> BranchLog:
        branch = BranchEntry.unpacked(entry)
        fields = self._fields(branch, self._run.parameters)
        steps = PackedSteps(branch.steps, self._run)
        return BranchLog.model_validate(fields | {"steps": steps})

    def _plain(self, entry: bytes | BranchEntry) -> tuple[dict[str, Any], PackedSteps]:
        branch = BranchEntry.unpacked(entry)
        fields = self._fields(branch, self._run.plain_parameters)
        return fields, PackedSteps(branch.steps, self._run)

    def _fields(self, branch: BranchEntry, shown: Shown) -> dict[str, Any]:
        return {
            "internal_name": branch.path,
            "status": branch.status,
            "parameters": shown(branch.parameters),
            "steps": {},
        }
