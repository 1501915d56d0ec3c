"""What a run tells while it goes on, and to whom.

A run tells its subscribers each record after it has been kept in the journal, and what
is not part of the run log: events that generators of tasks yield, and warnings.
"""

from runnable.events.kinds import Event, Pause, Subscriber, TaskEvent, Warned
from runnable.events.listening import listeners, listening

__all__ = [
    "Event",
    "Pause",
    "Subscriber",
    "TaskEvent",
    "Warned",
    "listeners",
    "listening",
]
