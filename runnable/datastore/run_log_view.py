"""The run log as a view of the state of a run.

`RunState` decides what has happened; this view adds what only readers need: times,
messages, tracebacks, files and the inputs of each attempt. Fields are collected in
plain dictionaries, so that a record costs little; the models are built, and validated,
once at the end.
"""

from collections.abc import Iterable
from typing import Any

from runnable import defaults
from runnable.datastore.packed_branches import (
    SharedValues,
    Unpacker,
    bind_all,
    metrics_of,
    pack_branch,
)
from runnable.datastore.run_log import RunLog
from runnable.graph import parent
from runnable.journal import (
    AnyParameter,
    CodeIdentity,
    ObjectLoader,
    Record,
    Retention,
    RunResumed,
    RunStarted,
    RunState,
    ScopeState,
    StepFinished,
    StepState,
)

_JOB = "job"


class RunLogView:
    """Collects the fields of a run log while a state applies the records.

    Args:
        records: In the order in which they were written; any prefix is fine.
        loader: Loads stored objects of the run, so that they can be read after it.
    """

    def __init__(
        self, records: Iterable[Record], loader: ObjectLoader | None = None
    ) -> None:
        self._loader = loader
        self._shared = SharedValues()
        self._run_config: dict[str, Any] = {}
        self._code: list[CodeIdentity] = []
        self._job: dict[str, Any] | None = None
        self._steps: dict[str, dict[str, Any]] = {}
        self._scopes: dict[str, dict[str, Any]] = {"": {"steps": {}}}
        self._state = RunState(retention=Retention.PATH, view=self)
        for record in records:
            self._state.add(record)

    def run_log(self, run_id: str) -> RunLog:
        """Build the run log.

        Args:
            run_id: The id of the run, for a journal without records.
        """
        for path, log in self._scopes.items():
            if path:  # what is still open is shown as it is now
                log["parameters"] = self._scope(path).parameters
        started = self._state.started
        fields: dict[str, Any] = {
            "run_id": started.run_id if started else run_id,
            "status": self._state.status,
            "parameters": self._state.root.parameters,
            "run_config": self._run_config,
            "steps": self._unpacker.steps(self._scopes[""]["steps"]),
        }
        if started is not None:
            fields |= {"tag": started.tag, "dag_hash": started.dag_hash}
        if self._job is not None:
            fields["job"] = self._job
        return RunLog.model_validate(fields)

    @property
    def _unpacker(self) -> Unpacker:
        return Unpacker(self._code, self._loader, self._shared)

    def run_changed(self, record: Record) -> None:
        """Note the configuration and the code version of the run."""
        match record:
            case RunStarted():
                self._run_config = dict(record.run_config)
                self._code = list(record.code)
                bind_all(record.parameters, self._loader)
            case RunResumed():
                self._code = list(record.code)
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
            case _:
                pass

    def step_started(self, step: StepState) -> None:
        """Add an attempt; steps with branches have none."""
        log = self._steps.get(step.path)
        if log is None:
            log = self._steps[step.path] = self._new(step)
        log["status"] = defaults.PROCESSING
        started = step.started
        if not started.attempt:
            return
        log["attempts"].append({
            "attempt_number": started.attempt,
            "start_time": started.at,
            "status": defaults.PROCESSING,
            "input_parameters": {},
            "retry_indicator": str(self._run_config.get("retry_indicator", "")),
            "code_identities": self._code,
        })

    def _scope(self, path: str) -> ScopeState:
        scope = self._state.scope(path)
        assert scope is not None  # noqa: S101 - the state has just found it
        return scope

    def _new(self, step: StepState) -> dict[str, Any]:
        log: dict[str, Any] = {"attempts": [], "data_catalog": []}
        if step.started.step_type == _JOB:
            self._job = log
            log["code_identities"] = self._code
        else:
            self._scopes[parent(step.path)]["steps"][step.path] = log
            log |= {
                "name": step.started.name,
                "internal_name": step.path,
                "step_type": step.started.step_type,
                "branches": {},
            }
        return log

    def step_finished(self, step: StepState, record: StepFinished) -> None:
        """Note how the attempt ended."""
        log = self._steps[step.path]
        log["status"] = record.status
        log["data_catalog"] += record.files
        bind_all(record.outputs, self._loader)
        if not record.attempt:
            log["message"], log["traceback"] = record.message, record.traceback
            return
        attempt = log["attempts"][-1]
        attempt |= {
            "end_time": record.at,
            "status": record.status,
            "message": record.message,
            "traceback": record.traceback,
            "cached_from": record.cached_from,
            "output_parameters": dict(record.outputs),
            "user_defined_metrics": metrics_of(record.outputs),
        }
        attempt["input_parameters"] = {
            name: found
            for name in record.read
            if (found := self._input(parent(step.path), name)) is not None
        }

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

    def branch_started(self, branch: ScopeState) -> None:
        """Open the log of the branch, also of one that is tried again."""
        branches = self._steps[parent(branch.path)]["branches"]
        log = branches.get(branch.path)
        if log is None:
            steps: dict[str, Any] = {}
            log = {"internal_name": branch.path, "steps": steps}
        elif isinstance(log, bytes):
            log = self._unpacker.branch_state(log)
            self._steps |= log["steps"]
        log["status"] = defaults.PROCESSING
        branches[branch.path] = self._scopes[branch.path] = log

    def branch_finished(self, branch: ScopeState) -> None:
        """Pack the log of the branch: a run may have very many of them."""
        log = self._scopes.pop(branch.path)
        log["status"], log["parameters"] = branch.status, branch.parameters
        for path in log["steps"]:
            del self._steps[path]
        branches = self._steps[parent(branch.path)]["branches"]
        branches[branch.path] = pack_branch(log, self._shared)


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
    return RunLogView(records, loader).run_log(run_id)
