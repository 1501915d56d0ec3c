"""Run logs that version 0.50 wrote: in one piece, or in a piece for each branch.

Its stores `file-system` and `minio` wrote a run log as one JSON text. `chunked-fs` and
`chunked-minio` wrote `RunLog`, whose steps have no branches, and `BranchLog-<path>` for
each branch, with its own steps. They are read, listed and deleted, never continued.
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from pydantic import ValidationError

from runnable import defaults
from runnable.datastore.errors import RunLogDamagedError
from runnable.datastore.run_log import RunLog
from runnable.graph import parent
from runnable.journal import Record, RunFinished, RunStarted

ROOT = "RunLog"
"""The name of the piece that has the run and its steps."""
BRANCH = "BranchLog-"
"""Prefix of the names of the other pieces; the path of the branch follows."""


def is_piece(name: str) -> bool:
    """Return True for the name of a piece, without its suffix.

    Example:
        >>> is_piece("RunLog"), is_piece("BranchLog-m.1"), is_piece("notes")
        (True, True, False)
    """
    return name == ROOT or name.startswith(BRANCH)


def join_pieces(run_id: str, location: str, pieces: Mapping[str, bytes]) -> RunLog:
    """Make a run log of what version 0.50 wrote.

    Args:
        run_id: The run.
        location: Where the pieces are, for errors.
        pieces: Their content by name, without suffixes; `RunLog` among them.

    Raises:
        RunLogDamagedError: If a piece is no JSON, or does not fit the others.

    Example:
        >>> join_pieces("r1", "here", {"RunLog": b'{"run_id": "r1"}'}).status
        'FAIL'
    """
    try:
        logs = {name: _decoded(content) for name, content in pieces.items()}
        root = logs.pop(ROOT)
        branches = {str(it["internal_name"]): it for it in logs.values()}
        for path, branch in branches.items():
            step = parent(path)
            around = branches[parent(step)] if parent(step) else root
            around["steps"][step].setdefault("branches", {})[path] = branch
        return RunLog.model_validate(root)
    except (KeyError, TypeError, AttributeError) as error:
        why = f"its pieces do not fit together: {error}"
        raise RunLogDamagedError(run_id, location, why) from error
    except (ValueError, ValidationError, RecursionError) as error:
        raise RunLogDamagedError(run_id, location, str(error)) from error


def _decoded(content: bytes) -> dict[str, Any]:
    decoded = json.loads(content)
    if isinstance(decoded, str):
        decoded = json.loads(decoded)  # the minio store encoded twice
    if not isinstance(decoded, dict):
        raise ValueError("it is no run log")  # noqa: TRY004 - of the content
    return cast("dict[str, Any]", decoded)


def ends_of(log: RunLog) -> tuple[Record, Record | None]:
    """Return the first and the last record that a run log would have come from.

    Args:
        log: The log of a run that has no journal.
    """
    attempts = [it for step in log.all_steps() for it in step.attempts]
    if log.job is not None:
        attempts += log.job.attempts
    first = RunStarted(
        at=min((it.start_time for it in attempts if it.start_time), default=""),
        run_id=log.run_id,
        tag=log.tag,
        dag_hash=log.dag_hash or "",
        parameters={},
        run_config=log.run_config,
        code=[],
    )
    has_ended = log.status in {defaults.SUCCESS, defaults.FAIL, defaults.CANCELLED}
    at = max((it.end_time for it in attempts), default="")
    return first, RunFinished(at, log.status, log.metrics) if has_ended else None
