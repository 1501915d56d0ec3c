"""Errors of run logs: they are missing, exist already, or are damaged."""

from collections.abc import Mapping, Sequence

from runnable.errors import RunError, StoreError, did_you_mean

_SHOWN = 5


class RunLogExistsError(StoreError):
    """There is a run log of this run id already."""

    def __init__(self, run_id: str, location: str = "") -> None:
        super().__init__(run_id, location)
        self.run_id = run_id
        self.location = location

    def __str__(self) -> str:
        location = f" in {self.location}" if self.location else ""
        return (
            f"Run {self.run_id!r} exists already{location}. Continue it with "
            "resume=..., `runnable retry` or RUNNABLE_RETRY_RUN_ID; or choose another "
            "run id, or none to get a new one (RUNNABLE_RUN_ID may hold the old one)."
        )


class RunLogContinuedError(StoreError):
    """Another process has just continued this run."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return (
            f"Run {self.run_id!r} has just been continued by another process; wait for "
            "its end, or look at its run log."
        )


class RunUnderWayError(StoreError):
    """A process runs this run now."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id

    def __str__(self) -> str:
        return f"Run {self.run_id!r} is active; wait for its end, or cancel it."


class RunsNotDeletedError(StoreError):
    """Some runs could not be deleted; the others are."""

    def __init__(
        self, deleted: Sequence[str], problems: Mapping[str, Exception]
    ) -> None:
        super().__init__(deleted, problems)
        self.deleted = deleted
        self.problems = problems
        """Why not, by the id of the run."""

    def __str__(self) -> str:
        lines = "".join(f"\n  - {run_id}: {it}" for run_id, it in self.problems.items())
        deleted = ", ".join(self.deleted) or "none"
        return f"Deleted: {deleted}. Not deleted:{lines}"


class RunLogNotFoundError(StoreError):
    """There is no run log of this run id."""

    def __init__(self, run_id: str, location: str = "") -> None:
        super().__init__(run_id, location)
        self.run_id = run_id
        self.location = location

    def __str__(self) -> str:
        location = f" in {self.location}" if self.location else ""
        return (
            f"There is no run {self.run_id!r}{location}. If it is in another store, "
            "name the same configuration_file (--config) or services as for its "
            "execution."
        )


class RunLogDamagedError(StoreError):
    """A run log cannot be read beyond some point."""

    def __init__(self, run_id: str, location: str, why: str) -> None:
        super().__init__(run_id, location, why)
        self.run_id = run_id
        self.location = location
        self.why = why

    def __str__(self) -> str:
        return f"The log of run {self.run_id!r} is damaged: {self.location}: {self.why}"


class StepLogNotFoundError(StoreError):
    """A run log has no step of this name."""

    def __init__(self, run_id: str, step_name: str, known: Sequence[str] = ()) -> None:
        super().__init__(run_id, step_name, known)
        self.run_id = run_id
        self.step_name = step_name
        self.known = known

    def __str__(self) -> str:
        hint = did_you_mean(self.step_name, self.known)
        return f"Run {self.run_id!r} has no step {self.step_name!r}. {hint}"


class AmbiguousRunIdError(StoreError):
    """Several runs have an id that begins like this."""

    def __init__(self, prefix: str, run_ids: Sequence[str]) -> None:
        super().__init__(prefix, run_ids)
        self.prefix = prefix
        self.run_ids = run_ids

    def __str__(self) -> str:
        shown = ", ".join(self.run_ids[:_SHOWN])
        more = ", ..." if len(self.run_ids) > _SHOWN else ""
        return (
            f"{self.prefix!r} is how the ids of {len(self.run_ids)} runs begin: "
            f"{shown}{more}. Write more of it."
        )


class ArtifactNotFoundError(StoreError, KeyError):
    """A run has no such value, file or object."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name = name
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.name!r} {self.problem}"


class EarlierInputsError(StoreError):
    """An earlier run has no longer what another one is to begin with."""

    def __init__(self, run_id: str, name: str) -> None:
        super().__init__(run_id, name)
        self.run_id = run_id
        self.name = name

    def __str__(self) -> str:
        return (
            f"Run {self.run_id!r} kept {self.name!r} in memory only, so no other run "
            "can begin with it. Run the step that returns it as well, or use a catalog "
            "that stores objects."
        )


class OutputTypeError(StoreError, TypeError):
    """An output of a run is not of the type that was asked for."""

    def __init__(self, name: str, kind: object, value: object, why: str) -> None:
        super().__init__(name, kind, value, why)
        self.name = name
        self.kind = kind
        self.value = value
        self.why = why

    def __str__(self) -> str:
        wanted = self.kind.__qualname__ if isinstance(self.kind, type) else self.kind
        found = type(self.value).__qualname__
        return f"Output {self.name!r} is a {found}, not a {wanted}: {self.why}"


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


class ObjectNotPicklableError(RunError):
    """A returned object cannot be pickled."""

    def __init__(self, name: str, kind: str, why: str) -> None:
        super().__init__(name, kind, why)
        self.name = name
        self.kind = kind
        self.why = why

    def __str__(self) -> str:
        return (
            f"{self.name!r} is a {self.kind} that cannot be pickled ({self.why}). "
            "Return what it is made of, and make it again in the step that needs it."
        )


class ObjectNotLoadableError(RunError):
    """A stored object cannot be made again of what was pickled."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, why)
        self.name = name
        self.why = why

    def __str__(self) -> str:
        return (
            f"the object {self.name!r} cannot be unpickled: {self.why}. Its packages "
            "must be installed here, in a version that reads what was stored; and its "
            "class must be able to make it again."
        )


class RetryValidationError(RunError):
    """A run cannot be retried as it is."""

    def __init__(self, run_id: str, why: str = "") -> None:
        super().__init__(run_id, why)
        self.run_id = run_id
        self.why = why

    def __str__(self) -> str:
        return f"Run {self.run_id!r} cannot be retried: {self.why}"
