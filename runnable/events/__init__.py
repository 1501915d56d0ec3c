"""Events of runs and their subscribers.

A run tells its subscribers each record after it has been kept in the journal, and what
is not part of the run log: events that generators of tasks yield, and warnings.
"""

from runnable.events.subscribe import listeners, listening
from runnable.events.types import Event, Pause, Subscriber, TaskEvent, Warned

__all__ = [
    "Event",
    "Pause",
    "Subscriber",
    "TaskEvent",
    "Warned",
    "listeners",
    "listening",
]
