"""Every error that `runnable` raises on purpose.

The tree of their classes::

    RunnableError
    ├── DefinitionError            the author of a pipeline must act
    │   ├── GraphError             several findings about one graph
    │   ├── NodeNotFoundError, BranchNotFoundError
    │   └── NodeMethodCallError, TerminalNodeError
    ├── ConfigurationError         the operator must act
    │   ├── ServiceNotFoundError
    │   └── ParametersFileError
    ├── RunError                   this run cannot go on, or did not end well
    │   ├── ExecutionFailedError
    │   ├── BindingError
    │   ├── ParameterMissingError
    │   ├── ReturnsError
    │   ├── ValueNotStorableError
    │   ├── CommandCallError
    │   ├── SecretNotFoundError
    │   └── RetryValidationError
    └── StoreError                 something kept is missing, present or damaged
        ├── RunLogExistsError, RunLogNotFoundError, RunLogDamagedError
        ├── StepLogNotFoundError, BranchLogNotFoundError, JobLogNotFoundError
        ├── EntityNotFoundError
        └── CatalogError
            └── ObjectDamagedError

Each class keeps what it is about in positional fields (so it survives pickling) and
renders its text when asked: what is wrong, where, and what to do.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # The bottom layer may name the type of what it carries, never import it.
    from runnable.datastore import RunLog


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Say which known name is closest, and which names there are.

    Args:
        name: What was written.
        known: What would have been right.

    Returns:
        A sentence, or two.

    Example:
        >>> did_you_mean("catalgo", ["catalog", "secrets"])
        "Did you mean 'catalog'? Known: catalog, secrets."
    """
    import difflib  # only an error pays for it

    names = sorted(known)
    listed = ", ".join(names) or "none"
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {close[0]!r}? " if close else ""
    return f"{hint}Known: {listed}."


class RunnableError(Exception):
    """Common base of all errors of this library; catch it to catch them all."""


class DefinitionError(RunnableError):
    """A pipeline is described wrongly; its author must change it."""


class GraphError(DefinitionError):
    """A graph has one or more faults, all of them listed."""

    def __init__(self, pipeline: str, findings: Sequence[str]) -> None:
        super().__init__(pipeline, findings)
        self.pipeline = pipeline
        self.findings = list(findings)

    def __str__(self) -> str:
        name = f"pipeline {self.pipeline!r}" if self.pipeline else "the pipeline"
        if len(self.findings) == 1:
            return f"{name} cannot run: {self.findings[0]}"
        lines = "".join(f"\n  - {finding}" for finding in self.findings)
        return f"{name} cannot run, for {len(self.findings)} reasons:{lines}"


class NodeNotFoundError(DefinitionError):
    """A graph has no node of this name."""

    def __init__(self, name: str, known: Sequence[str] = ()) -> None:
        super().__init__(name, known)
        self.name = name
        self.known = known

    def __str__(self) -> str:
        return f"There is no step {self.name!r}. {did_you_mean(self.name, self.known)}"


class BranchNotFoundError(NodeNotFoundError):
    """A node has no branch of this name."""

    def __str__(self) -> str:
        hint = did_you_mean(self.name, self.known)
        return f"There is no branch {self.name!r}. {hint}"


class NodeMethodCallError(DefinitionError):
    """A node was asked for something that only another kind of node has."""


class TerminalNodeError(DefinitionError):
    """A terminal node was asked for its next node."""


class ConfigurationError(RunnableError):
    """The configuration is wrong; whoever operates the run must change it."""

    def __init__(self, problem: str, place: str = "") -> None:
        super().__init__(problem, place)
        self.problem = problem
        self.place = place

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}" if self.place else self.problem


class ServiceNotFoundError(ConfigurationError):
    """No implementation of this kind has this type name."""

    def __init__(
        self, kind: str, name: str, known: Sequence[str] = (), place: str = ""
    ) -> None:
        RunnableError.__init__(self, kind, name, known, place)
        self.problem = f"there is no {kind} of type {name!r}"
        self.kind = kind
        self.name = name
        self.known = known
        self.place = place

    def __str__(self) -> str:
        hint = did_you_mean(self.name, self.known)
        place = f"{self.place}: " if self.place else ""
        return (
            f"{place}There is no {self.kind} of type {self.name!r}. {hint} "
            f"Packages add one with an entry point in the group {self.kind!r}."
        )


class ParametersFileError(ConfigurationError):
    """The parameters file is missing, unreadable or not a mapping."""


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
    """A function asks for a parameter that nobody provides."""

    def __init__(
        self,
        function: str,
        argument: str,
        known: Sequence[str] = (),
        step: str = "",
    ) -> None:
        super().__init__(function, argument, known, step)
        self.function = function
        self.argument = argument
        self.known = known
        self.step = step

    def __str__(self) -> str:
        step = f"Step {self.step!r}: " if self.step else ""
        return (
            f"{step}{self.function}() needs parameter {self.argument!r}, which no "
            "earlier step, parameters file, environment variable or argument "
            f"provides. {did_you_mean(self.argument, self.known)}"
        )


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


class RetryValidationError(RunError):
    """A run cannot be retried as it is."""

    def __init__(self, run_id: str, why: str = "") -> None:
        super().__init__(run_id, why)
        self.run_id = run_id
        self.why = why

    def __str__(self) -> str:
        return f"Run {self.run_id!r} cannot be retried: {self.why}"


class StoreError(RunnableError):
    """Something that is kept is missing, there already, or damaged."""


class RunLogExistsError(StoreError):
    """There is a run log of this run id already."""

    def __init__(self, run_id: str, place: str = "") -> None:
        super().__init__(run_id, place)
        self.run_id = run_id
        self.place = place

    def __str__(self) -> str:
        place = f" in {self.place}" if self.place else ""
        return (
            f"Run {self.run_id!r} exists already{place}. Choose another run id, or "
            "none to get a new one; RUNNABLE_RUN_ID may hold the old one."
        )


class RunLogNotFoundError(StoreError):
    """There is no run log of this run id."""

    def __init__(self, run_id: str, place: str = "") -> None:
        super().__init__(run_id, place)
        self.run_id = run_id
        self.place = place

    def __str__(self) -> str:
        place = f" in {self.place}" if self.place else ""
        return (
            f"There is no run {self.run_id!r}{place}. If it was kept elsewhere, name "
            "the same configuration_file or services as for its execution."
        )


class RunLogDamagedError(StoreError):
    """A run log cannot be read beyond some point."""

    def __init__(self, run_id: str, place: str, why: str) -> None:
        super().__init__(run_id, place, why)
        self.run_id = run_id
        self.place = place
        self.why = why

    def __str__(self) -> str:
        return f"The log of run {self.run_id!r} is damaged: {self.place}: {self.why}"


class StepLogNotFoundError(StoreError):
    """A run log has no step of this name."""

    def __init__(self, run_id: str, step_name: str) -> None:
        super().__init__(run_id, step_name)
        self.run_id = run_id
        self.step_name = step_name

    def __str__(self) -> str:
        return f"Run {self.run_id!r} has no step {self.step_name!r}"


class BranchLogNotFoundError(StoreError):
    """A run log has no branch of this name."""

    def __init__(self, run_id: str, branch_name: str) -> None:
        super().__init__(run_id, branch_name)
        self.run_id = run_id
        self.branch_name = branch_name

    def __str__(self) -> str:
        return f"Run {self.run_id!r} has no branch {self.branch_name!r}"


class JobLogNotFoundError(StoreError):
    """A run log is not that of a job."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"Run {self.run_id!r} is not a job"


class EntityNotFoundError(StoreError):
    """A part of a run log that is stored on its own does not exist."""


class CatalogError(StoreError):
    """Something cannot be put into the catalog, or found in it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name = name
        self.problem = problem

    def __str__(self) -> str:
        return f"Catalog: {self.name!r} {self.problem}"


class ObjectDamagedError(CatalogError):
    """A stored object is not what was stored; it has not been unpickled."""
