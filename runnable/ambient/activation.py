"""Keep the process-wide replacements in place exactly while runs are active."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from runnable.ambient.environment import overlay, remove_overlay
from runnable.ambient.streams import route, unroute

_lock = threading.Lock()
_active_runs = 0


@contextmanager
def active_run() -> Iterator[None]:
    """Count one more active run; the first puts the replacements in place.

    What is replaced belongs to the process, so this count does as well; no value of a
    run is kept here.
    """
    global _active_runs  # noqa: PLW0603 - see above
    with _lock:
        _active_runs += 1
        overlay()
        route()
    try:
        yield
    finally:
        with _lock:
            _active_runs -= 1
            if not _active_runs:
                remove_overlay()
                unroute()
