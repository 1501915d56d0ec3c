"""Keep the process-wide replacements in place exactly while runs are active."""

import logging
import threading
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TextIO

from runnable.capture.environment import overlay, remove_overlay
from runnable.capture.logs import capture_records, release_records
from runnable.capture.streams import route, unroute


class _Activation:
    """Counts active runs, and restores the process after the last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs = 0
        self._moved_handlers: list[tuple[logging.StreamHandler[Any], TextIO]] = []

    def __enter__(self) -> None:
        with self._lock:
            self._runs += 1
            if self._runs == 1:
                overlay()
                self._moved_handlers = route()
                capture_records()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._runs -= 1
            if not self._runs:
                remove_overlay()
                release_records()
                unroute(self._moved_handlers)
                self._moved_handlers = []


# The replaced objects belong to the process, so this does as well; no value of a run is
# kept here.
_activation = _Activation()


def active_run() -> AbstractContextManager[None]:
    """Count one more active run; the first puts the replacements in place.

    A stream that somebody puts in place while runs are active is left alone: what it
    passes on to the one before is kept, once.
    """
    return _activation
