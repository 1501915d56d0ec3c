"""Who runs a run, and whether that process is still there.

Theory of operation. Whoever begins or resumes a run records its host, its process and
when that process began, since numbers of processes come round again. On the same host,
and in the same container, this tells for certain whether the process is alive. From
elsewhere, only what is heard tells: it says every now and then that it is there.
"""

import os
import socket
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

from runnable.clock import seconds
from runnable.datastore import (
    Heartbeat,
    PartFinished,
    PartStarted,
    Record,
    RunDeleting,
    RunFinished,
    RunResumed,
    RunStarted,
)
from runnable.under_way import HEARTBEAT_SECONDS

_SILENT_SECONDS = 3 * HEARTBEAT_SECONDS


class Owner(NamedTuple):
    """A process that runs a run."""

    host: str
    process_id: int
    process_began: str
    """When it began, in the words of its system; empty if that is not known."""

    @property
    def numbering(self) -> str:
        """What its number is unique in: the machine, or a container."""
        return self.process_began.partition(":")[2].partition(":")[2]

    def __str__(self) -> str:
        return f"process {self.process_id} on {self.host}"


class Claim(NamedTuple):
    """That a process runs a run, or a step of it."""

    owner: Owner
    path: str = ""
    """Of the step; empty for the run."""
    at: str = ""
    heard_at: float = 0.0
    """When it was claimed, in seconds since 1970."""


class Owners:
    """Who has a run, as far as they have not said that they have left it."""

    def __init__(self) -> None:
        self.claims: list[Claim] = []
        """Who runs it, then those who run parts of it, in the order they came."""
        self.last_heartbeat = 0.0
        """When one of them said last that it is there, in seconds since 1970."""
        self.in_parts = False
        """Whether who runs it leaves the steps to others."""
        self.deleting = False
        """Whether somebody has begun to delete it."""

    def add(self, record: Record) -> None:
        """Take one more record into account."""
        match record:
            case RunStarted() | RunResumed() | RunDeleting():
                self.deleting = isinstance(record, RunDeleting)
                self.in_parts = getattr(record, "in_parts", False)
                self.claims = [Claim(_owner(record))]
                self.last_heartbeat = record.epoch_seconds
            case PartStarted():
                # It says nothing of whether the others are still there.
                self.claims.append(claim_of(record))
            case PartFinished():
                self._leave(_owner(record), record.path)
            case Heartbeat():
                self.last_heartbeat = record.epoch_seconds
            case RunFinished():
                self.claims = []
            case _:
                pass

    def _leave(self, owner: Owner, path: str) -> None:
        left = [it for it in self.claims if (it.owner, it.path) == (owner, path)]
        if left:
            self.claims.remove(left[-1])  # who came too late leaves first

    def other_at_work(self) -> Owner | None:
        """Return another process that runs the run now, or a part of it, if any."""
        for claim in self.claims:
            if claim.owner != this_process() and self._is_alive(claim):
                return claim.owner
        return None

    def are_gone(self) -> bool:
        """Tell whether somebody has it, and who does is not there any more."""
        # Between its parts, a run is nobody's.
        claims = [it for it in self.claims if it.path or not self.in_parts]
        return bool(claims) and not any(
            it.owner == this_process() or self._is_alive(it) for it in claims
        )

    def in_the_way(
        self, path: str, mine: Claim | None, *, runs_here: bool
    ) -> Owner | None:
        """Return who has a step already, so that it cannot be run as a part, if any.

        Args:
            path: That of the step.
            mine: The claim of who asks; of several, the first one has the step.
            runs_here: Whether the run is under way in this process.
        """
        for claim in self.claims:
            if claim == mine:
                return None
            whole = not (claim.path or self.in_parts)
            if whole and claim.owner == this_process():
                whole = runs_here
            if (whole or claim.path == path) and self._is_alive(claim):
                return claim.owner
        return None

    def _is_alive(self, claim: Claim) -> bool:
        return is_alive(claim.owner, max(claim.heard_at, self.last_heartbeat))


def claim_of(record: PartStarted) -> Claim:
    """Return what a record claims."""
    return Claim(_owner(record), record.path, record.at, record.epoch_seconds)


def _owner(
    record: RunStarted | RunResumed | RunDeleting | PartStarted | PartFinished,
) -> Owner:
    return Owner(record.host, record.process_id, record.process_began)


@cache
def _host() -> str:
    return socket.gethostname()


@cache
def _began_here(process_id: int) -> str:
    # By number: a forked child has another one, and is not its parent.
    return _began(process_id)


def this_process() -> Owner:
    """Return the process that asks."""
    process_id = os.getpid()
    return Owner(_host(), process_id, _began_here(process_id))


def is_alive(owner: Owner, last_heartbeat: float) -> bool:
    """Tell whether the process that runs a run is still there.

    Args:
        owner: The process.
        last_heartbeat: When it said last that it is there, in seconds since 1970.

    Returns:
        Whether it is there, as far as can be known: from another host, what has not
        been heard for a minute counts as gone.
    """
    other = bool(owner.numbering) and owner.numbering != this_process().numbering
    if other or owner.host != _host() or sys.platform == "win32":
        return seconds() - last_heartbeat < _SILENT_SECONDS
    try:
        os.kill(owner.process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's, and alive
    return not owner.process_began or _began(owner.process_id) == owner.process_began


def _began(process_id: int) -> str:
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return ""
    # The name of the program, in brackets, may contain anything; the 22nd field is the
    # start in ticks since the machine was started.
    return f"{boot}:{stat.rpartition(')')[2].split()[19]}:{_numbering()}"


@cache
def _numbering() -> str:
    """Return what tells processes of equal numbers in several containers apart."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
