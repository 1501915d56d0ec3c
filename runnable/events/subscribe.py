"""Listen to all runs that are started in a context."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from runnable.events.types import Subscriber
from runnable.scope import current_scope, set_listeners


def listeners() -> Sequence[Subscriber]:
    """Return the subscribers of the runs that are started in this context."""
    return current_scope().listeners


@contextmanager
def listening(subscriber: Subscriber) -> Generator[None]:
    """Subscribe to the events of the runs that are started within a block.

    Args:
        subscriber: Called with each event of this thread's, or this task's, runs.

    Example:
        >>> from runnable import Stub
        >>> received = []
        >>> services = {"run_log_store": {"type": "memory"},
        ...             "catalog": {"type": "do-nothing"}}
        >>> with listening(lambda event: received.append(type(event).__name__)):
        ...     _ = Stub(name="s").as_pipeline().execute(services=services)
        >>> received[0], received[-1]
        ('RunStarted', 'RunFinished')
    """
    before = current_scope().listeners
    set_listeners((*before, subscriber))
    try:
        yield
    finally:
        set_listeners(before)
