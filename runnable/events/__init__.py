"""What a run tells while it goes on, and to whom.

A run tells its subscribers each record after it has been kept in the journal, and what
is not part of the run log: events that generators of tasks yield, and warnings.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from runnable.datastore import Record


class TaskEvent(NamedTuple):
    """A task's generator has yielded a mapping that has a `type`."""

    path: str
    """Of the step."""
    event: Mapping[str, object]
    """As it was yielded."""


class Warned(NamedTuple):
    """Something is probably not what the author wants; the run goes on."""

    path: str
    """Of the step."""
    text: str


Event = Record | TaskEvent | Warned
"""Everything that a run tells; the type says what it is."""

Subscriber = Callable[[Event], object]
"""Called with each event, one at a time, in the thread where it happened: returns soon,
and hands on what takes longer."""

__all__ = ["Event", "Subscriber", "TaskEvent", "Warned"]
