"""From the records of a journal to the run log."""

from collections import ChainMap
from collections.abc import Iterable
from typing import Any

from runnable import defaults
from runnable.datastore.frozen import Unpacker, bind_all, metrics_of, pack_branch
from runnable.datastore.parameters import AnyParameter, JsonParameter, ObjectLoader
from runnable.datastore.records import (
    BranchFinished,
    BranchStarted,
    Record,
    RunFinished,
    RunResumed,
    RunStarted,
    StepFinished,
    StepStarted,
)
from runnable.datastore.run_log import CodeIdentity, RunLog
from runnable.graph.paths import parent

_JOB = "job"
_LOOP = "loop"


class Fold:
    """Builds the run log, record by record.

    The state is plain dictionaries of what the models have as fields, so that a record
    costs little; the models are built, and validated, once at the end.

    Args:
        run_id: The id of the run, for a journal that has no record yet.
        loader: Where the stored objects of the run are loaded from, so that they can
            be read when the run is over.
    """

    def __init__(self, run_id: str, loader: ObjectLoader | None = None) -> None:
        self._run: dict[str, Any] = {"run_id": run_id, "status": defaults.CREATED}
        self._run |= {"steps": {}, "parameters": {}, "run_config": {}}
        self._loader = loader
        self._steps: dict[str, dict[str, Any]] = {}
        # The run is the scope of the steps that stand in no branch.
        self._scopes: dict[str, dict[str, Any]] = {"": self._run}
        self._variables: dict[str, dict[str, AnyParameter]] = {"": {}}
        self._carried: dict[str, dict[str, AnyParameter]] = {}
        self._code: list[CodeIdentity] = []
        self._retry_indicator = ""

    def add(self, record: Record) -> None:
        """Take one more record into account."""
        match record:
            case StepStarted():
                self._step_started(record)
            case StepFinished():
                self._step_finished(record)
            case BranchStarted():
                self._branch_started(record)
            case BranchFinished():
                self._branch_finished(record)
            case RunStarted():
                self._run_started(record)
            case RunResumed():
                self._run_resumed(record)
            case RunFinished():
                self._run["status"] = record.status
            case _:
                pass  # heartbeats and parts say who is there, not what has happened

    def run_log(self) -> RunLog:
        """Return the run log that the records so far amount to."""
        steps = self._unpacker.steps(self._run["steps"])
        return RunLog.model_validate({**self._run, "steps": steps})

    @property
    def _unpacker(self) -> Unpacker:
        return Unpacker(self._code, self._loader)

    def _run_started(self, record: RunStarted) -> None:
        self._run |= {
            "tag": record.tag,
            "dag_hash": record.dag_hash,
            "status": defaults.PROCESSING,
            "parameters": bind_all(record.parameters, self._loader),
            "run_config": record.run_config,
        }
        self._code = record.code
        self._retry_indicator = str(record.run_config.get("retry_indicator", ""))

    def _run_resumed(self, record: RunResumed) -> None:
        self._run["status"] = defaults.PROCESSING
        self._code = record.code
        earlier = self._run["run_config"].get("resumed", [])
        told = {"at": record.at, "host": record.host, "message": record.message}
        # The record that it began with stays as it is.
        self._run["run_config"] = {
            **self._run["run_config"],
            "resumed": [*earlier, told],
        }

    def _step_started(self, record: StepStarted) -> None:
        step = self._steps.get(record.path)
        if step is None:
            step = self._steps[record.path] = self._new(record)
        step["status"] = self._run["status"] = defaults.PROCESSING
        if not record.attempt:
            return
        scope = parent(record.path)
        inputs = self._variables[scope] | self._scopes[scope]["parameters"]
        step["attempts"].append({
            "attempt_number": record.attempt,
            "start_time": record.at,
            "status": defaults.PROCESSING,
            "input_parameters": inputs,
            "retry_indicator": self._retry_indicator,
            "code_identities": self._code,
        })

    def _new(self, record: StepStarted) -> dict[str, Any]:
        step: dict[str, Any] = {"attempts": [], "data_catalog": []}
        if record.step_type == _JOB:
            self._run["job"] = step
            step["code_identities"] = self._code
        else:
            self._scopes[parent(record.path)]["steps"][record.path] = step
            step["name"] = record.name
            step["internal_name"] = record.path
            step["step_type"] = record.step_type
            step["branches"] = {}
        return step

    def _branch_started(self, record: BranchStarted) -> None:
        step = parent(record.path)
        branches = self._steps[step]["branches"]
        branch = branches.get(record.path)
        if branch is None:
            branch = {
                "internal_name": record.path,
                "steps": {},
                # An iteration goes on with what the one before it has set.
                "parameters": {
                    name: it
                    for name, it in self._carried.get(step, {}).items()
                    if name not in record.variables
                },
            }
        elif isinstance(branch, bytes):
            branch = self._unpacker.branch_state(branch)
            self._steps |= branch["steps"]
        branch["status"] = defaults.PROCESSING
        branches[record.path] = self._scopes[record.path] = branch
        self._variables[record.path] = {
            name: JsonParameter.model_construct(value=value)
            for name, value in record.variables.items()
        }

    def _branch_finished(self, record: BranchFinished) -> None:
        branch = self._scopes.pop(record.path)
        branch["status"] = record.status
        step = self._steps[parent(record.path)]
        if step["step_type"] == _LOOP:
            self._carried[parent(record.path)] = branch["parameters"]
        del self._variables[record.path]
        for path in branch["steps"]:
            del self._steps[path]
        step["branches"][record.path] = pack_branch(branch)

    def _step_finished(self, record: StepFinished) -> None:
        step = self._steps[record.path]
        step["status"] = record.status
        step["data_catalog"] += record.files
        outputs = bind_all(record.outputs, self._loader)
        if record.attempt:
            self._attempt_finished(step["attempts"][-1], record, outputs)
        else:
            step["message"], step["traceback"] = record.message, record.traceback
        self._scopes[parent(record.path)]["parameters"].update(outputs)

    def _attempt_finished(
        self,
        attempt: dict[str, Any],
        record: StepFinished,
        outputs: dict[str, AnyParameter],
    ) -> None:
        attempt |= {
            "end_time": record.at,
            "status": record.status,
            "message": record.message,
            "traceback": record.traceback,
            "cached_from": record.cached_from,
            "output_parameters": outputs,
            "user_defined_metrics": metrics_of(outputs),
        }
        if record.read:
            outside = self._visible(parent(parent(parent(record.path))))
            attempt["input_parameters"] |= {name: outside[name] for name in record.read}

    def _visible(self, scope: str) -> ChainMap[str, AnyParameter]:
        """Return what a scope and those around it have."""
        maps = [self._scopes[scope]["parameters"], self._variables[scope]]
        while scope:
            scope = parent(parent(scope))
            maps += [self._scopes[scope]["parameters"], self._variables[scope]]
        return ChainMap(*maps)


def fold(
    run_id: str, records: Iterable[Record], loader: ObjectLoader | None = None
) -> RunLog:
    """Build the run log that some records amount to.

    Args:
        run_id: The id of the run.
        records: In the order in which they were written; any prefix is fine.
        loader: Where stored objects of the run are loaded from.

    Returns:
        The run log.

    Example:
        >>> fold("r1", [RunFinished(at="", status="SUCCESS")]).status
        'SUCCESS'
    """
    folding = Fold(run_id, loader)
    for record in records:
        folding.add(record)
    return folding.run_log()
