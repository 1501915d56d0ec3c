"""Why a run has failed: the steps that have failed by themselves."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from runnable.datastore import RunLog
from runnable.datastore.log_entries import StepEntry
from runnable.datastore.outlines import branches_of, entries_of, steps_of
from runnable.defaults import FAIL

_FRAME = re.compile(r'^\s*File "(?P<file>.+)", line (?P<line>\d+), in (?P<name>.+)$')
_FOREIGN = ("site-packages", "dist-packages", "<")


class Failure(NamedTuple):
    """A step that has failed, although nothing in it has."""

    path: str
    attempts: int
    """How often it was tried."""
    message: str
    traceback: str
    """Of its last attempt."""

    @property
    def location(self) -> str:
        """The last line of the user's own code, such as `train.py:12 in fit`."""
        frames = [it for it in map(_FRAME.match, self.traceback.splitlines()) if it]
        own = [it for it in frames if not any(word in it["file"] for word in _FOREIGN)]
        if not frames:
            return ""
        last = (own or frames)[-1]
        return f"{last['file']}:{last['line']} in {last['name']}"


def failures(run_log: RunLog) -> list[Failure]:
    """List the steps of a run that have failed by themselves.

    A step with branches has, if none of its branches has a step that failed.

    Args:
        run_log: The log of the run.

    Returns:
        Failures, in the order of the run log; also if the run has succeeded in spite of
        them.

    Example:
        >>> failures(RunLog(run_id="r1", status="SUCCESS"))
        []
    """
    if (job := run_log.job) is not None:
        last = job.attempts[-1] if job.attempts else None
        message, trace = (last.message, last.traceback) if last else (job.message, "")
        tried = len(job.attempts)
        return [Failure("job", tried, message, trace)] if job.status == FAIL else []
    return list(_failures(entries_of(run_log.steps)))


def _failures(steps: Iterable[StepEntry]) -> Iterator[Failure]:
    for step in steps:
        inside = [
            it for branch in branches_of(step) for it in _failures(steps_of(branch))
        ]
        yield from inside
        if step.status == FAIL and not inside and step.step_type != "fail":
            last = step.attempts[-1] if step.attempts else step
            tried = len(step.attempts)
            yield Failure(step.path, tried, last.message, last.traceback)
