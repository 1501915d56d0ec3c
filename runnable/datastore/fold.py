"""From the records of a journal to the run log."""

from collections.abc import Iterable

from runnable import defaults
from runnable.datastore.parameters import ObjectLoader, ObjectParameter
from runnable.datastore.records import (
    AnyParameter,
    Record,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from runnable.datastore.run_log import (
    CodeIdentity,
    JobLog,
    RunLog,
    StepAttempt,
    StepLog,
)

_JOB = "job"


class Fold:
    """Builds the run log, record by record.

    Args:
        run_id: The id of the run, for a journal that has no record yet.
        loader: Where the stored objects of the run are loaded from, so that they can
            be read when the run is over.
    """

    def __init__(self, run_id: str, loader: ObjectLoader | None = None) -> None:
        self.run_log = RunLog(run_id=run_id, status=defaults.CREATED)
        self._loader = loader
        self._steps: dict[str, StepLog | JobLog] = {}
        self._code: list[CodeIdentity] = []
        self._retry_indicator = ""

    def add(self, record: Record) -> None:
        """Take one more record into account."""
        match record:
            case RunStarted():
                self._run_started(record)
            case StepStarted():
                self._step_started(record)
            case StepFinished():
                self._step_finished(record)
            case RunFinished():
                self.run_log.status = record.status

    def _run_started(self, record: RunStarted) -> None:
        self.run_log = RunLog(
            run_id=record.run_id,
            tag=record.tag,
            dag_hash=record.dag_hash,
            status=defaults.PROCESSING,
            parameters=self._bound(record.parameters),
            run_config=record.run_config,
        )
        self._code = record.code
        self._retry_indicator = str(record.run_config.get("retry_indicator", ""))

    def _step_started(self, record: StepStarted) -> None:
        step = self._steps.get(record.path)
        if step is None:
            step = self._steps[record.path] = self._new(record)
        step.attempts.append(
            StepAttempt.model_construct(
                attempt_number=record.attempt,
                start_time=record.at,
                end_time="",
                status=defaults.PROCESSING,
                message="",
                traceback="",
                input_parameters=dict(self.run_log.parameters),
                output_parameters={},
                user_defined_metrics={},
                retry_indicator=self._retry_indicator,
                code_identities=self._code,
            )
        )

    def _new(self, record: StepStarted) -> StepLog | JobLog:
        if record.step_type == _JOB:
            self.run_log.job = JobLog(
                status=defaults.PROCESSING, code_identities=self._code
            )
            return self.run_log.job
        step = StepLog.model_construct(
            name=record.name,
            internal_name=record.path,
            status=defaults.PROCESSING,
            step_type=record.step_type,
            message="",
            mock=False,
            attempts=[],
            branches={},
            data_catalog=[],
        )
        self.run_log.steps[record.path] = step
        return step

    def _step_finished(self, record: StepFinished) -> None:
        step = self._steps[record.path]
        step.status = record.status
        step.data_catalog += record.files
        attempt = step.attempts[-1]
        attempt.end_time = record.at
        attempt.status = record.status
        attempt.message = record.message
        attempt.traceback = record.traceback
        attempt.output_parameters = self._bound(record.outputs)
        attempt.user_defined_metrics = {
            name: parameter
            for name, parameter in attempt.output_parameters.items()
            if parameter.kind == "metric"
        }
        self.run_log.parameters.update(attempt.output_parameters)

    def _bound(self, parameters: dict[str, AnyParameter]) -> dict[str, AnyParameter]:
        for parameter in parameters.values():
            if isinstance(parameter, ObjectParameter) and self._loader is not None:
                parameter.bind(self._loader)
        return parameters


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
    return folding.run_log
