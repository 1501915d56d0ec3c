"""Errors of a run that cannot continue, or that did not succeed."""

from runnable.datastore.run_log import RunLog
from runnable.errors import RunError


class ExecutionFailedError(RunError):
    """A run ended in failure.

    The exception of the step that failed, if there was one, is the `__cause__`.

    Example:
        >>> from runnable import PythonTask
        >>> in_memory = {"run_log_store": {"type": "memory"},
        ...              "catalog": {"type": "do-nothing"}}
        >>> step = PythonTask(name="divide", function=lambda: 1 / 0)
        >>> try:
        ...     step.as_pipeline().execute(run_id="r1", services=in_memory)
        ... except ExecutionFailedError as error:
        ...     print(error.run_id, type(error.__cause__).__name__)
        r1 ZeroDivisionError
    """

    def __init__(
        self, run_id: str, run_log: RunLog | None = None, reason: str = ""
    ) -> None:
        super().__init__(run_id, run_log, reason)
        self.run_id = run_id
        self.run_log = run_log
        self.reason = reason

    def __str__(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"Run {self.run_id!r} failed{reason}"

    def __repr__(self) -> str:
        # Without the run log, which may be long.
        return f"{type(self).__name__}({self.run_id!r}, {self.reason!r})"


class ExecutionCancelledError(RunError):
    """A run was cancelled from outside; it is recorded as CANCELLED."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"Run {self.run_id!r} was cancelled."


class StepTimeoutError(RunError, TimeoutError):
    """An attempt of a step took longer than it may."""

    def __init__(self, seconds: float, abandoned: bool = False) -> None:  # noqa: FBT001, FBT002 - positional, for pickling
        super().__init__(seconds, abandoned)
        self.seconds = seconds
        self.abandoned = abandoned
        """Whether its thread was left to end by itself."""

    def __str__(self) -> str:
        more = "; its thread was left to end by itself" if self.abandoned else ""
        return f"it took longer than timeout_seconds={self.seconds:g}{more}"


class WorkerError(RunError):
    """A worker process cannot be given its branch, or has died over it."""
