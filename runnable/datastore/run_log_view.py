"""The run log as a view of the state of a run.

`RunState` decides what has happened; this view adds what only readers need: times,
messages, tracebacks, files and the inputs of each attempt. It follows the state of a
run that is active, so that its log is there when it ends; or a state that is made of
the records in a store. Beyond the first thousand
steps, an entry is packed as soon as what it is of has ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import JsonValue

from runnable import defaults
from runnable.datastore.log_entries import (
    AttemptEntry,
    BranchEntry,
    SharedValues,
    StepEntry,
)
from runnable.datastore.packed_logs import OfRun, PackedSteps, bind_all
from runnable.datastore.packed_records import PackedRecords
from runnable.datastore.run_log import RunLog
from runnable.datastore.step_logs import JobLog
from runnable.graph import parent
from runnable.graph.shared_json import SharedJson
from runnable.journal import (
    AnyParameter,
    CodeIdentity,
    ObjectLoader,
    Record,
    Retention,
    RunFinished,
    RunResumed,
    RunStarted,
    RunState,
    ScopeState,
    StepFinished,
    StepState,
)

_JOB = "job"
_UNPACKED = 1000
"""So many steps of a run are kept as they are, which is faster."""


class RunLogView:
    """Collects what a run log has while a state applies the records.

    Args:
        retention: What the state remembers for other readers than this one.
    """

    # Ten thousand runs may be active at once, each with a view.
    __slots__ = (
        *("_codes", "_ended", "_job", "_open", "_root", "_run_config", "_scopes"),
        *("_shared", "state"),
    )

    def __init__(self, retention: Retention = Retention.PATH) -> None:
        self._shared = SharedValues()
        self._run_config: Mapping[str, Any] = {}
        self._codes: list[Sequence[CodeIdentity]] = []
        self._job: StepEntry | None = None
        self._root = BranchEntry("")
        self._scopes = {"": self._root}
        """The run and the branches that are open, by path."""
        self._ended = 0
        self._open: dict[str, StepEntry] = {}
        """The steps that are open, by path."""
        self.state = RunState(retention=retention, view=self)
        """The state that it follows; records are added there."""

    def run_log(self, run_id: str, loader: ObjectLoader | None = None) -> RunLog:
        """Build the run log.

        Args:
            run_id: The id of the run, for a journal without records.
            loader: Loads stored objects of the run, so that they can be read after it.
        """
        entries, of_run = self.contents(loader)
        steps = PackedSteps(entries, of_run)
        job = of_run.job_log(self._job) if self._job is not None else None
        return _run_log(run_id, self.state, self._run_config, steps, job)

    def contents(
        self, loader: ObjectLoader | None
    ) -> tuple[Mapping[str, bytes | StepEntry], OfRun]:
        """Return the entries of the steps, and what they have in common.

        Args:
            loader: Loads stored objects of the run.
        """
        for path, entry in self._scopes.items():
            if path:  # what is still open is shown as it is now
                entry.parameters = self._shared.pack(self._scope(path).parameters)
        bind_all(self.state.root.parameters, loader)
        indicator = str(self._run_config.get("retry_indicator", ""))
        codes = [_plain(code) for code in self._codes]
        return self._root.steps, OfRun(codes, indicator, loader, self._shared)

    def run_changed(self, record: Record) -> None:
        """Note the configuration and the code version of the run."""
        match record:
            case RunStarted():
                self._run_config = record.run_config
                self._codes.append(record.code)
            case RunResumed():
                self._codes.append(record.code)
                resumed = {
                    "at": record.at,
                    "host": record.host,
                    "message": record.message,
                }
                earlier = self._run_config.get("resumed", [])
                self._run_config = {
                    **self._run_config,
                    "resumed": [*earlier, resumed],
                }
            case RunFinished():
                self._close_all(record.at)
            case _:
                pass

    def _close_all(self, at: str) -> None:
        """Show what is open as cut off: its end could not be recorded."""
        for entry in self._open.values():
            entry.status = defaults.CANCELLED
            if entry.attempts:
                latest = entry.attempts[-1]
                entry.attempts[-1] = latest._replace(end=at, status=defaults.CANCELLED)
        for branch in self._scopes.values():
            branch.status = defaults.CANCELLED

    def step_started(self, step: StepState) -> None:
        """Add an attempt; steps with branches have none."""
        path, started = step.path, step.started
        steps = self._scopes[parent(path)].steps
        known = steps.get(path)
        if started.step_type == _JOB:
            known = self._job
        if known is None:
            entry = StepEntry(started.name, path, started.step_type)
        else:
            entry = StepEntry.unpacked(known)
            entry.status = defaults.PROCESSING
        if started.step_type == _JOB:
            self._job = entry
        else:
            steps[path] = entry
        self._open[path] = entry
        if started.attempt:
            code = len(self._codes) - 1
            entry.attempts.append(AttemptEntry(started.attempt, started.at, code))

    def step_finished(self, step: StepState, record: StepFinished) -> None:
        """Note how the attempt ended."""
        path = step.path
        entry = self._open.pop(path)
        entry.status = record.status
        entry.files += [file.model_dump(mode="json") for file in record.files]
        if not record.attempt:
            entry.message, entry.traceback = record.message, record.traceback
            return
        entry.attempts[-1] = entry.attempts[-1]._replace(
            end=record.at,
            status=record.status,
            message=record.message,
            traceback=record.traceback,
            cached_from=record.cached_from,
            inputs=self._inputs(parent(path), record.read),
            outputs=self._shared.pack(record.outputs),
        )
        self._ended += 1
        if self._ended > _UNPACKED and entry is not self._job:
            self._scopes[parent(path)].steps[path] = entry.pack()

    def _inputs(self, branch: str, names: Iterable[str]) -> dict[str, Any]:
        found = {name: self._input(branch, name) for name in names}
        given = {name: it for name, it in found.items() if it is not None}
        return self._shared.pack(given)

    def _input(self, branch: str, name: str) -> AnyParameter | None:
        """Return the parameter that a step of a branch was given under a name."""
        at = branch
        while True:
            found = self._scope(at).find(name)
            if found is not None and (at != branch or not at):
                self._shared.add(found)
            if found is not None or not at:
                return found
            at = parent(parent(at))

    def _scope(self, path: str) -> ScopeState:
        scope = self.state.scope(path)
        assert scope is not None  # noqa: S101 - the state has just found it
        return scope

    def branch_started(self, branch: ScopeState) -> None:
        """Open the log of the branch, also of one that is tried again."""
        path = branch.path
        branches = self._open[parent(path)].branches
        known = branches.get(path)
        entry = BranchEntry(path) if known is None else BranchEntry.unpacked(known)
        entry.status = defaults.PROCESSING
        branches[path] = self._scopes[path] = entry

    def branch_finished(self, branch: ScopeState) -> None:
        """Pack the log of the branch: a run may have very many of them."""
        path = branch.path
        entry = self._scopes.pop(path)
        entry.status = branch.status
        entry.parameters = self._shared.pack(branch.parameters)
        self._open[parent(path)].branches[path] = entry.pack()


def _plain(code: Iterable[CodeIdentity]) -> list[dict[str, Any]]:
    return [it.model_dump(mode="json") for it in code]


def _run_log(
    run_id: str,
    state: RunState,
    config: Mapping[str, Any],
    steps: PackedSteps,
    job: JobLog | None = None,
) -> RunLog:
    started = state.started
    fields: dict[str, Any] = {
        "run_id": started.run_id if started else run_id,
        "status": state.status,
        "parameters": state.root.parameters,
        "run_config": {name: _own(it) for name, it in config.items()},
        "steps": steps,
    }
    if started is not None:
        fields |= {"tag": started.tag, "dag_hash": started.dag_hash}
        fields |= {"tags": dict(started.tags), "notes": dict(started.notes)}
    if job is not None:
        fields["job"] = job
    # Nothing is validated again that a run or the reader of its records has made.
    return RunLog.model_construct(None, **fields)


def _own(value: JsonValue) -> JsonValue:
    return value.own_copy() if isinstance(value, SharedJson) else value


class RecordedSteps(PackedSteps):
    """The steps of a run whose records are in memory.

    Their entries are made when they are first looked at: who embeds runs often wants
    what a run has returned, and nothing else.

    Args:
        records: All records of the run.
        loader: Loads stored objects of the run.
    """

    def __init__(self, records: PackedRecords, loader: ObjectLoader | None) -> None:
        self._records: PackedRecords | None = records
        self._loader = loader
        self._recent = {}

    def _contents(self) -> tuple[Mapping[str, Any], OfRun]:
        records = self._records
        if records is not None:
            self._given = _view_of(records.after(0)).contents(self._loader)
            self._records = None
        return self._given


def _view_of(records: Iterable[Record]) -> RunLogView:
    view = RunLogView()
    for record in records:
        view.state.add(record)
    return view


def recorded_run_log(
    state: RunState, records: PackedRecords, loader: ObjectLoader
) -> RunLog:
    """Return the run log of a pipeline that this process has run from its start.

    Args:
        state: Its state.
        records: All its records so far.
        loader: Loads stored objects of the run.
    """
    started = state.started
    assert started is not None  # noqa: S101 - it has run
    if "dag" not in started.run_config:  # a job: its log is no step
        return run_log_of(started.run_id, records.after(0), loader)
    bind_all(state.root.parameters, loader)
    steps = RecordedSteps(records.copy(), loader)
    return _run_log(started.run_id, state, started.run_config, steps)


def run_log_of(
    run_id: str, records: Iterable[Record], loader: ObjectLoader | None = None
) -> RunLog:
    """Build the run log of some records.

    Args:
        run_id: The id of the run.
        records: In the order in which they were written; any prefix is fine.
        loader: Loads stored objects of the run.

    Returns:
        The run log.

    Example:
        >>> from runnable.journal import RunFinished
        >>> run_log_of("r1", [RunFinished(at="", status="SUCCESS")]).status
        'SUCCESS'
    """
    return _view_of(records).run_log(run_id, loader)
