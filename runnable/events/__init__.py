"""Events of runs and their subscribers.

A run passes each record to its subscribers after it was written to the journal, and
also the events that generators of tasks yield, and warnings.
"""

from runnable.events.subscribe import listeners, listening
from runnable.events.types import Event, Launched, Pause, Subscriber, TaskEvent, Warned

__all__ = [
    "Event",
    "Launched",
    "Pause",
    "Subscriber",
    "TaskEvent",
    "Warned",
    "listeners",
    "listening",
]
