"""Errors of one run, which cannot go on or did not end well."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runnable.exceptions.base import RunnableError, did_you_mean

if TYPE_CHECKING:
    # The bottom layer may name the type of what it carries, never import it.
    from runnable.datastore import RunLog


class RunError(RunnableError):
    """Something went wrong within one run."""


class ExecutionFailedError(RunError):
    """A run ended in failure.

    The exception of the step that failed, if there was one, is the `__cause__`.
    """

    def __init__(
        self, run_id: str, run_log: "RunLog | None" = None, reason: str = ""
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


class BindingError(RunError):
    """A parameter cannot be given to a function in the type that it asks for."""

    def __init__(self, function: str, argument: str, value: str, wanted: str) -> None:
        super().__init__(function, argument, value, wanted)
        self.function = function
        self.argument = argument
        self.value = value
        self.wanted = wanted

    def __str__(self) -> str:
        return (
            f"{self.function}() cannot be given parameter {self.argument!r}: "
            f"{self.value} is not {self.wanted}"
        )


class ParameterMissingError(RunError):
    """A step asks for a parameter that nobody provides."""

    def __init__(
        self,
        function: str,
        argument: str,
        known: Sequence[str] = (),
        step: str = "",
        field: str = "",
    ) -> None:
        super().__init__(function, argument, known, step, field)
        self.function = function
        self.argument = argument
        self.known = known
        self.step = step
        self.field = field

    def __str__(self) -> str:
        step = f"Step {self.step!r}" if self.step else ""
        function = f"{self.function}()" if self.function else ""
        field = f", or one for its field {self.field!r}" if self.field else ""
        return (
            f"{': '.join(filter(None, (step, function)))} needs parameter "
            f"{self.argument!r}{field}, which no earlier step, parameters file, "
            "environment variable or argument provides. "
            f"{did_you_mean(self.field or self.argument, self.known)}"
        )


class ParametersMissingError(ParameterMissingError):
    """Several parameters are asked for that nobody provides, all of them listed."""

    def __init__(self, missing: Sequence[ParameterMissingError]) -> None:
        first = missing[0]
        super().__init__(first.function, first.argument, first.known, first.step)
        self.args = (missing,)
        self.missing = list(missing)

    def __str__(self) -> str:
        lines = "".join(f"\n  - {one}" for one in self.missing)
        return f"{len(self.missing)} parameters are missing:{lines}"


class ReturnsError(RunError):
    """A function returned more or fewer values than its task declares."""

    def __init__(self, function: str, declared: Sequence[str], returned: int) -> None:
        super().__init__(function, declared, returned)
        self.function = function
        self.declared = declared
        self.returned = returned

    def __str__(self) -> str:
        names = ", ".join(self.declared)
        return (
            f"{self.function}() returned {self.returned} value(s), but its task "
            f"declares {len(self.declared)}: {names}. Return a tuple with one value "
            "for each name, in this order."
        )


class ValueNotStorableError(RunError):
    """A value is no JSON, and was not declared as a pickled object."""

    def __init__(self, place: str, kind: str, why: str = "", advice: str = "") -> None:
        super().__init__(place, kind, why, advice)
        self.place = place
        self.kind = kind
        self.why = why
        self.advice = advice

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        name = self.place.split(".", maxsplit=1)[0].split("[", maxsplit=1)[0]
        advice = self.advice or (
            f"Return something that is, or declare it with pickled({name!r})."
        )
        return f"{self.place} is a {self.kind}{why}, which is no JSON value. {advice}"


class CommandCallError(RunError):
    """The command of a task failed."""


class SecretNotFoundError(RunError):
    """A secret that a task declares does not exist where secrets come from."""

    def __init__(self, secret_name: str, secret_setting: str = "") -> None:
        super().__init__(secret_name, secret_setting)
        self.secret_name = secret_name
        self.secret_setting = secret_setting

    def __str__(self) -> str:
        return f"There is no secret {self.secret_name!r} in {self.secret_setting}"


class StepTimeoutError(RunError, TimeoutError):
    """An attempt of a step took longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"it took longer than timeout_seconds={self.seconds:g}"


class StreamEndError(RunError):
    """A generator ended without saying what its task returns."""

    def __init__(
        self,
        function: str,
        end_type: str,
        declared: Sequence[str],
        given: Sequence[str] | None,
    ) -> None:
        super().__init__(function, end_type, declared, given)
        self.function = function
        self.end_type = end_type
        self.declared = declared
        self.given = given

    def __str__(self) -> str:
        names = ", ".join(map(repr, self.declared))
        if self.given is None:
            what = f"yielded no event of type {self.end_type!r}"
        else:
            listed = ", ".join(map(repr, self.given)) or "nothing"
            what = f"yielded an event of type {self.end_type!r} that has {listed}"
        return (
            f"{self.function}() {what}, but its task declares {names}. Let it yield "
            f"{{'type': {self.end_type!r}, ...}} with a value for each of these names, "
            "or set stream_end_type."
        )


class WorkerError(RunError):
    """A worker process cannot be given its branch, or has died over it."""


class RetryValidationError(RunError):
    """A run cannot be retried as it is."""

    def __init__(self, run_id: str, why: str = "") -> None:
        super().__init__(run_id, why)
        self.run_id = run_id
        self.why = why

    def __str__(self) -> str:
        return f"Run {self.run_id!r} cannot be retried: {self.why}"


class ExecutionCancelledError(RunError):
    """A run was ended by somebody else; it is recorded as CANCELLED."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"Run {self.run_id!r} was cancelled."


class EngineBusyError(RunError):
    """There is no room for another run; nothing has begun, so try again later."""

    def __init__(self, what: str, most: int) -> None:
        super().__init__(what, most)
        self.what = what
        self.most = most

    def __str__(self) -> str:
        if not self.most:
            return "No more runs are begun here: it is shutting down."
        return (
            f"{self.most} {self.what} go on already, the most there may be; try later."
        )
