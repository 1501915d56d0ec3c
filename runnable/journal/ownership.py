"""Which processes have a run, according to its records; pure.

Whether such a process is still alive is answered by `engine.process_identity`.
"""

from typing import NamedTuple

from runnable.journal.records import (
    Heartbeat,
    Record,
    RunDeleting,
    RunFinished,
    RunResumed,
    RunStarted,
    StepClaimed,
    StepReleased,
)


class Owner(NamedTuple):
    """A process that runs a run, or a step of it."""

    host: str
    process_id: int
    process_began: str
    """Start time of the process, as its system reports it; empty if unknown."""

    @property
    def id_namespace(self) -> str:
        """The namespace of its process id: the machine, or a container."""
        return self.process_began.partition(":")[2].partition(":")[2]

    def __str__(self) -> str:
        return f"process {self.process_id} on {self.host}"


class Claim(NamedTuple):
    """A process runs a run, or one step of it."""

    owner: Owner
    path: str = ""
    """Of the step; empty for the whole run."""
    at: str = ""
    heard_at: float = 0.0
    """POSIX timestamp of the claim."""

    @classmethod
    def of(cls, record: StepClaimed) -> "Claim":
        """Return the claim that a record makes."""
        return cls(_owner(record), record.path, record.at, record.epoch_seconds)


class Ownership:
    """The claims on a run that have not been released."""

    __slots__ = ("claims", "is_deleting", "last_heartbeat", "launches_steps")

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        """The owner of the run first, then the owners of single steps, oldest first."""
        self.last_heartbeat = 0.0
        """POSIX timestamp of the latest sign of life."""
        self.launches_steps = False
        """True if the owner of the run leaves the steps to other processes."""
        self.is_deleting = False
        """True if a process has started to delete the run."""

    def add(self, record: Record) -> None:
        """Apply a record; records without an owner are ignored."""
        match record:
            case RunStarted() | RunResumed() | RunDeleting():
                self.is_deleting = isinstance(record, RunDeleting)
                self.launches_steps = getattr(record, "launches_steps", False)
                self.claims = [Claim(_owner(record))]
                self.last_heartbeat = record.epoch_seconds
            case StepClaimed():
                # It says nothing about whether the other owners are alive.
                self.claims.append(Claim.of(record))
            case StepReleased():
                self._release(_owner(record), record.path)
            case Heartbeat():
                self.last_heartbeat = record.epoch_seconds
            case RunFinished():
                self.claims = []
            case _:
                pass

    def _release(self, owner: Owner, path: str) -> None:
        claims = [it for it in self.claims if (it.owner, it.path) == (owner, path)]
        if claims:
            self.claims.remove(claims[-1])  # the later of two is refused, and leaves


def _owner(
    record: RunStarted | RunResumed | RunDeleting | StepClaimed | StepReleased,
) -> Owner:
    return Owner(record.host, record.process_id, record.process_began)
