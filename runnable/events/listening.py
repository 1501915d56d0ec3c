"""Listen to all runs that are started in a context."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from runnable.scope import current_scope, set_overrides

if TYPE_CHECKING:
    from runnable.events.kinds import Subscriber


class _Key:
    """Under which listeners are kept with what else holds in a context."""


def listeners() -> "Sequence[Subscriber]":
    """Return who listens to the runs that are started here."""
    return cast("Sequence[Subscriber]", current_scope().overrides.get(_Key, ()))


@contextmanager
def listening(subscriber: "Subscriber") -> Iterator[None]:
    """Have somebody told what happens in the runs that are started within a block.

    Args:
        subscriber: Called with each event of this thread's, or this task's, runs.

    Example:
        >>> from runnable import Stub
        >>> told = []
        >>> services = {"run_log_store": {"type": "memory"},
        ...             "catalog": {"type": "do-nothing"}}
        >>> with listening(lambda event: told.append(type(event).__name__)):
        ...     _ = Stub(name="s").as_pipeline().execute(services=services)
        >>> told[0], told[-1]
        ('RunStarted', 'RunFinished')
    """
    before = current_scope().overrides
    set_overrides({**before, _Key: (*before.get(_Key, ()), subscriber)})
    try:
        yield
    finally:
        set_overrides(before)
