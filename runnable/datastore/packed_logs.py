"""The logs of steps and branches in a run log, made when they are looked at.

Each is made of its entry: into a model, or into JSON values.
"""

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, NamedTuple, TypeVar

from pydantic import JsonValue

from runnable.datastore.log_entries import (
    AttemptEntry,
    BranchEntry,
    Packed,
    SharedValues,
    StepEntry,
)
from runnable.datastore.step_logs import BranchLog, JobLog, StepLog
from runnable.journal import AnyParameter, ObjectLoader, StoredObject

Log = TypeVar("Log", StepLog, BranchLog)
Shown = Callable[[Packed], dict[str, Any]]
"""Turns parameters into what a log has of them."""
_RECENT = 32
_SHOWN = 3


class OfRun(NamedTuple):
    """Values that all logs of a run share."""

    codes: list[list[dict[str, Any]]]
    """Its code identities as JSON values: at its start, and whenever it was resumed."""
    retry_indicator: str
    loader: ObjectLoader | None
    shared: SharedValues

    def parameters(self, packed: Packed) -> dict[str, AnyParameter]:
        """Make parameters."""
        made = self.shared.parameters(packed)
        bind_all(made, self.loader)
        return made

    def plain_parameters(self, packed: Packed) -> dict[str, Any]:
        """Return parameters as JSON values."""
        return {name: self.shared.shown(it) for name, it in packed.items()}

    def attempts(self, entry: StepEntry, shown: Shown) -> list[dict[str, Any]]:
        """Return the fields of all attempts of a step."""
        return [self._attempt(it, shown) for it in entry.attempts]

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
    _model: type[Log]

    def __init__(self, entries: Mapping[str, Any], run: OfRun) -> None:
        self._given = entries, run
        self._recent: dict[str, Log] = {}

    def _contents(self) -> tuple[Mapping[str, Any], OfRun]:
        return self._given

    @property
    def _entries(self) -> Mapping[str, Any]:
        return self._contents()[0]

    @property
    def _run(self) -> OfRun:
        return self._contents()[1]

    @abc.abstractmethod
    def _parts(self, entry: Any, shown: Shown) -> "tuple[dict[str, Any], Further]":
        """Return the fields of a log, and the logs within it."""

    def plain(self) -> "Iterator[tuple[str, dict[str, Any], Further]]":
        """Yield the path of each log, its fields as JSON values, and the logs in it."""
        for path, entry in self._entries.items():
            fields, inner = self._parts(entry, self._run.plain_parameters)
            yield path, fields, inner

    def entries(self) -> Iterable[Any]:
        """Return what the logs are made of; they may be packed."""
        return self._entries.values()

    def _make(self, entry: Any) -> Log:
        fields, inner = self._parts(entry, self._run.parameters)
        return self._model.model_validate(fields | {self.within: inner})

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
    _model = StepLog

    def metrics(self, attempt: AttemptEntry) -> Iterator[tuple[str, JsonValue]]:
        """Yield the name and the value of each metric of an attempt."""
        shared = self._run.shared
        for name, it in attempt.outputs.items():
            if shared.kind(it) == "metric":
                yield name, shared.shown(it)["value"]

    def _parts(
        self, entry: bytes | StepEntry, shown: Shown
    ) -> "tuple[dict[str, Any], PackedBranches]":
        step = StepEntry.unpacked(entry)
        fields: dict[str, Any] = {
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
        return fields, PackedBranches(step.branches, self._run)


class PackedBranches(PackedLogs[BranchLog]):
    """The branches of a step, by path."""

    within = "steps"
    _model = BranchLog

    def _parts(
        self, entry: bytes | BranchEntry, shown: Shown
    ) -> tuple[dict[str, Any], PackedSteps]:
        branch = BranchEntry.unpacked(entry)
        fields: dict[str, Any] = {
            "internal_name": branch.path,
            "status": branch.status,
            "parameters": shown(branch.parameters),
            "steps": {},
        }
        return fields, PackedSteps(branch.steps, self._run)


Further = PackedSteps | PackedBranches
