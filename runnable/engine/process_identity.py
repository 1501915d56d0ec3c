"""Identify processes, and find out whether one is still alive.

Theory of operation. A process that starts or resumes a run records its host, its id and
when it started, since process ids are reused. On the same host, and in the same
container, this decides for certain whether the process is alive. On others, only
heartbeats tell: a process that was not heard for a minute counts as gone.
"""

import os
import socket
import sys
from functools import cache
from pathlib import Path

from runnable.concurrency.heartbeat import HEARTBEAT_SECONDS
from runnable.journal import Claim, Owner, Ownership
from runnable.scope.clock import seconds

_SILENT_SECONDS = 3 * HEARTBEAT_SECONDS
_ENDED = ("Z", "X", "x")
"""States of a process that has ended, and is not gone yet."""


def this_process() -> Owner:
    """Return the process that calls this."""
    process_id = os.getpid()
    return Owner(_host(), process_id, _started_here(process_id))


def other_owner(ownership: Ownership) -> Owner | None:
    """Return another living process that has the run, or a step of it, if any.

    Args:
        ownership: The claims on the run.
    """
    for claim in ownership.claims:
        if claim.owner != this_process() and _has_living_owner(claim, ownership):
            return claim.owner
    return None


def owner_has_crashed(ownership: Ownership) -> bool:
    """Return whether the run has owners, and none of them is alive.

    Args:
        ownership: The claims on the run.
    """
    # Between its steps, a run whose steps are launched has no owner.
    claims = [it for it in ownership.claims if it.path or not ownership.launches_steps]
    return bool(claims) and not any(
        it.owner == this_process() or _has_living_owner(it, ownership) for it in claims
    )


def owner_of_step(
    ownership: Ownership,
    path: str,
    mine: Claim | None,
    *,
    runs_here: bool,
    in_order: bool = False,
) -> Owner | None:
    """Return the process that has claimed a step, so that no other one may run it.

    Args:
        ownership: The claims on the run.
        path: The path of the step.
        mine: The claim of the caller, if it has recorded one; of several claims, the
            first one counts.
        runs_here: Whether the run is active in this process.
        in_order: Whether who had the step before has certainly ended.
    """
    for claim in ownership.claims:
        if claim == mine:
            return None
        whole_run = not (claim.path or ownership.launches_steps)
        if whole_run and claim.owner == this_process():
            whole_run = runs_here
        concerned = whole_run or (claim.path == path and not in_order)
        if concerned and _has_living_owner(claim, ownership):
            return claim.owner
    return None


def _has_living_owner(claim: Claim, ownership: Ownership) -> bool:
    return is_alive(claim.owner, max(claim.heard_at, ownership.last_heartbeat))


def is_alive(owner: Owner, last_heartbeat: float) -> bool:
    """Return whether a process is still alive, as far as can be known.

    Args:
        owner: The process.
        last_heartbeat: POSIX timestamp of its latest sign of life, which decides if it
            is on another host or in another container.
    """
    namespace = owner.id_namespace
    is_foreign = bool(namespace) and namespace != this_process().id_namespace
    if is_foreign or owner.host != _host() or sys.platform == "win32":
        return seconds() - last_heartbeat < _SILENT_SECONDS
    try:
        os.kill(owner.process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it belongs to another user, and is alive
    fields = _fields(owner.process_id)
    if fields and fields[0] in _ENDED:
        return False  # its parent has not asked for its exit status
    started = owner.process_began
    return not started or _started_of(fields) == started


@cache
def _host() -> str:
    return socket.gethostname()


@cache
def _started_here(process_id: int) -> str:
    # By id: a forked child has another one, and is not its parent.
    return _started_of(_fields(process_id))


def _fields(process_id: int) -> list[str]:
    """Return what Linux knows of a process, its state first; nothing elsewhere."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
    except OSError:
        return []
    # The name of the program, in brackets, may contain anything.
    return stat.rpartition(")")[2].split()


def _started_of(fields: list[str]) -> str:
    if not fields or not _boot_id():
        return ""
    # The 22nd field is the start in ticks since the machine was started.
    return f"{_boot_id()}:{fields[19]}:{_id_namespace()}"


@cache
def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    except OSError:
        return ""


@cache
def _id_namespace() -> str:
    """Return what distinguishes processes of equal ids in several containers."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def command_of(owner: Owner) -> list[str]:
    """Return the command line of a process of this machine that is alive.

    Args:
        owner: The process.

    Returns:
        Its arguments; none if it is of another machine, has ended, or is not known.
    """
    process_id = owner.process_id
    if owner != Owner(_host(), process_id, _started_of(_fields(process_id))):
        return []
    try:
        content = Path(f"/proc/{process_id}/cmdline").read_bytes()
    except OSError:
        return []
    return content.decode("utf-8", "replace").split("\0")[:-1]
