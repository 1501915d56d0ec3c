"""Who runs a run, and whether that process is still there.

Theory of operation. Whoever begins or resumes a run records its host, its process and
when that process began, since numbers of processes come round again. On the same host,
and in the same container, this tells for certain whether the process is alive. From
elsewhere, only what is heard tells: it says every now and then that it is there.
"""

import os
import socket
import sys
import time
from functools import cache
from pathlib import Path
from typing import NamedTuple

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


class Owners:
    """Who has a run, as far as they have not said that they have left it."""

    def __init__(self) -> None:
        self.at_work: list[Owner] = []
        """Who runs it, then those who run parts of it."""
        self.heard_at = 0.0
        """When one of them said last that it is there, in seconds since 1970."""
        self.deleting = False
        """Whether somebody has begun to delete it."""

    def add(self, record: Record) -> None:
        """Take one more record into account."""
        match record:
            case RunStarted() | RunResumed() | RunDeleting():
                self.deleting = isinstance(record, RunDeleting)
                self.at_work = [_owner(record)]
                self.heard_at = record.epoch_seconds
            case PartStarted():
                self.at_work.append(_owner(record))
                self.heard_at = record.epoch_seconds
            case PartFinished():
                if _owner(record) in self.at_work:
                    self.at_work.remove(_owner(record))
            case Heartbeat():
                self.heard_at = record.epoch_seconds
            case RunFinished():
                self.at_work = []
            case _:
                pass


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


def is_alive(owner: Owner, heard_at: float) -> bool:
    """Tell whether the process that runs a run is still there.

    Args:
        owner: The process.
        heard_at: When something was last heard of it, in seconds since 1970.

    Returns:
        Whether it is there, as far as can be known: from another host, what has not
        been heard for a minute counts as gone.
    """
    other = bool(owner.numbering) and owner.numbering != this_process().numbering
    if other or owner.host != _host() or sys.platform == "win32":
        return time.time() - heard_at < _SILENT_SECONDS
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
