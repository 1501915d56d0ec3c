"""What a journal says has been done, for a run that is continued.

Theory of operation. A run is continued by running it again: the traversal asks for the
same steps in the same order, and for a step whose end is recorded, the answer is taken
from the record. So there is no position to be stored, and a run may be continued after
any record. Branches that were under way are entered again; what is recorded of them is
found by the same paths.
"""

from collections.abc import Iterable

from runnable import defaults
from runnable.datastore import Record, RunStarted, StepFinished, StepStarted


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
        self._steps: dict[str, Past] = {}
        for record in records:
            match record:
                case RunStarted():
                    self.started = record
                case StepStarted():
                    past = self._steps.setdefault(record.path, Past())
                    past.last_attempt, past.finished = record.attempt, None
                case StepFinished() if record.status != defaults.CANCELLED:
                    past = self._steps[record.path]
                    past.tries += 1
                    past.finished = record
                case _:
                    pass

    def of(self, path: str) -> Past | None:
        """Return what is recorded of a step; None if nothing is.

        Args:
            path: Its path.
        """
        return self._steps.get(path)

    def under(self, path: str) -> "History":
        """Return what is recorded of the steps in a branch.

        Args:
            path: The path of the branch; everything if empty.
        """
        if not path:
            return self
        part = History()
        prefix = f"{path}."
        part._steps = {
            step: past for step, past in self._steps.items() if step.startswith(prefix)
        }
        return part


NO_HISTORY = History()
"""Of a run that begins."""
