"""What a journal says has been done, for a run that is continued.

Theory of operation. A run is continued by running it again: the traversal asks for the
same steps in the same order, and for a step whose end is recorded, the answer is taken
from the record. So there is no position to be stored, and a run may be continued after
any record. Branches that were under way are entered again; what is recorded of them is
found by the same paths. A run that has ended in failure goes on where it failed: the
ends of failed steps count no longer, except in branches that have succeeded all the
same.
"""

from collections.abc import Iterable, Iterator

from runnable import defaults
from runnable.datastore import (
    BranchFinished,
    Record,
    RunFinished,
    RunStarted,
    StepFinished,
    StepStarted,
)
from runnable.engine.owners import Owners
from runnable.exceptions import RunLogDamagedError
from runnable.graph import parent


class Past:
    """What is recorded of one step."""

    __slots__ = ("finished", "last_attempt", "tries")

    def __init__(self) -> None:
        self.last_attempt = 0
        self.tries = 0
        """Attempts that came to an end of their own."""
        self.finished: StepFinished | None = None
        """The end of the last attempt, unless that was cut off."""


class History:
    """What is recorded of a run that goes on.

    Args:
        records: The records of its journal, any number from the first on.
    """

    def __init__(self, records: Iterable[Record] = ()) -> None:
        self.started: RunStarted | None = None
        self.owners = Owners()
        self.count = 0
        self._steps: dict[str, Past] = {}
        self._branches: dict[str, str] = {}
        self._succeeded = False
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Take one more record into account."""
        self.count += 1
        self.owners.add(record)
        match record:
            case RunStarted():
                self.started = record
            case StepStarted():
                past = self._steps.setdefault(record.path, Past())
                past.last_attempt, past.finished = record.attempt, None
            case StepFinished() if record.status != defaults.CANCELLED:
                self._ended(record)
            case BranchFinished():
                self._branches[record.path] = record.status
            case RunFinished():
                self._succeeded = record.status == defaults.SUCCESS
                self._try_again()
            case _:
                pass

    def _ended(self, record: StepFinished) -> None:
        past = self._steps.get(record.path)
        if past is None:
            run_id = self.started.run_id if self.started else ""
            why = f"the start of step {record.path!r} is missing"
            raise RunLogDamagedError(run_id, "its journal", why)
        past.tries += 1
        past.finished = record

    def _try_again(self) -> None:
        """Take back the ends of steps that failed: there the run goes on."""
        if self._succeeded:
            return
        for path, past in self._steps.items():
            failed = past.finished and past.finished.status != defaults.SUCCESS
            if failed and not self._within_success(path):
                past.finished, past.tries = None, 0

    def forget_failure(self, path: str) -> None:
        """Have a step tried once more, although it has failed for good.

        Args:
            path: That of the step.
        """
        past = self._steps.get(path)
        if past and past.finished and past.finished.status != defaults.SUCCESS:
            past.finished, past.tries = None, 0

    def is_final(self, path: str) -> bool:
        """Tell whether a failed step is past: the run, or its branch, has succeeded.

        Args:
            path: That of the step.
        """
        return self._succeeded or self._within_success(path)

    def _within_success(self, path: str) -> bool:
        """Tell whether a step stands in a branch that has succeeded all the same."""
        place = parent(path)
        while place:
            if self._branches.get(place) == defaults.SUCCESS:
                return True
            place = parent(parent(place))
        return False

    def succeeded(self) -> Iterator[StepFinished]:
        """Yield the ends of the steps that are not run again."""
        for past in self._steps.values():
            if past.finished is not None and past.finished.status == defaults.SUCCESS:
                yield past.finished

    def of(self, path: str) -> Past | None:
        """Return what is recorded of a step; None if nothing is.

        Args:
            path: Its path.
        """
        return self._steps.get(path)

    def paths_at(self, path: str) -> list[str]:
        """List the paths of the steps that have begun, at a path or below it.

        Args:
            path: That of a step, or of a branch.
        """
        return [it for it in self._steps if f"{it}.".startswith(f"{path}.")]

    def under(self, path: str) -> "History":
        """Return what is recorded of the steps in a branch.

        Args:
            path: The path of the branch; everything if empty.
        """
        if not path:
            return self
        part = History()
        prefix = f"{path}."
        part._branches, part._succeeded = self._branches, self._succeeded
        part._steps = {
            step: past for step, past in self._steps.items() if step.startswith(prefix)
        }
        return part


NO_HISTORY = History()
"""Of a run that begins."""
