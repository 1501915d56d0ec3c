"""Keep the process-wide replacements in place exactly while runs are active."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from runnable.ambient.environment import overlay, remove_overlay
from runnable.ambient.streams import route, unroute


class _Activation:
    """How many runs are active, and what has to be put back after the last."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.runs = 0
        self.moved_handlers: list[tuple[logging.StreamHandler[Any], TextIO]] = []


# What is replaced belongs to the process, so this does as well; no value of a run is
# kept here.
_activation = _Activation()


@contextmanager
def active_run() -> Iterator[None]:
    """Count one more active run; the first puts the replacements in place.

    A stream that somebody puts in place while runs are active is left alone: what it
    passes on to the one before is kept, once.
    """
    with _activation.lock:
        _activation.runs += 1
        if _activation.runs == 1:
            overlay()
            _activation.moved_handlers = route()
    try:
        yield
    finally:
        with _activation.lock:
            _activation.runs -= 1
            if not _activation.runs:
                remove_overlay()
                unroute(_activation.moved_handlers)
                _activation.moved_handlers = []
