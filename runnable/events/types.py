"""The types of events, and what a subscriber is."""

from collections.abc import Callable, Generator, Mapping
from typing import NamedTuple, Protocol

from runnable.datastore import Record


class TaskEvent(NamedTuple):
    """A task's generator has yielded a mapping that has a `type`."""

    path: str
    """Of the step."""
    event: Mapping[str, object]
    """As it was yielded."""


class Warned(NamedTuple):
    """Something is probably not what the author wants; the run continues."""

    path: str
    """Of the step."""
    text: str


class Launched(NamedTuple):
    """A step has been handed to another process, which records its start and its end.

    Subscribers get these records when the step has ended.
    """

    path: str
    """Of the step."""
    name: str
    step_type: str
    is_lost: bool = False
    """True if that process is gone, and this one records what it has not."""


Event = Record | TaskEvent | Warned | Launched
"""Any event of a run, distinguished by its type."""


class Pause(Protocol):
    """Returned by a subscriber that is full for now: wait for it, or await it."""

    def wait(self) -> object:
        """Wait, in a thread, until there is room for more."""

    def __await__(self) -> Generator[object, None, object]:
        """Wait, on an event loop, until there is room for more."""
        ...


Subscriber = Callable[[Event], Pause | None]
"""Called with each event, one at a time, in the thread where it happened. Returns
soon, and hands on what takes longer. If it gives a pause, a task that yields events is
held up until it is over."""
