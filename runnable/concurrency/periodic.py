"""Things that are saved now and then, while they grow."""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial

from runnable.concurrency.threads import Threads

logger = logging.getLogger(__name__)

_TICK_SECONDS = 1.0
_AT_ONCE = 8
SAVE_SECONDS = 2.0
"""How often something is saved, at most."""
_SHARE = 20
"""Saving takes at most this part of the time: one in so many."""


class Periodic:
    """Saves things now and then, in a few threads, which end when there are none.

    A child that was forked saves nothing: what it has copied belongs to its parent.

    Example:
        >>> Periodic().watch(lambda: False)
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._threads = Threads(limit=_AT_ONCE, idle_seconds=0.0)
        self._saves: dict[Callable[[], bool], float] = {}
        """When each is due."""
        self._thread: threading.Thread | None = None

    def watch(self, save: Callable[[], bool]) -> None:
        """Have something saved until it is over.

        Args:
            save: Saves it, called in a thread, two seconds from now for the first time;
                returns False when it is over.
        """
        if os.getpid() != self._process:
            return
        with self._lock:
            self._saves[save] = time.monotonic() + SAVE_SECONDS
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="runnable-saving", daemon=True
                )
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(_TICK_SECONDS)
            with self._lock:
                if not self._saves:
                    self._thread = None
                    return
                now = time.monotonic()
                due = [save for save, at in self._saves.items() if at <= now]
                self._saves.update(dict.fromkeys(due, float("inf")))
            for save in due:
                self._threads.submit(partial(self._save, save))

    def _save(self, save: Callable[[], bool]) -> None:
        began = time.monotonic()
        try:
            goes_on = save()
        except Exception:
            # The whole is stored at the end, which reports what is wrong.
            logger.debug("Something could not be saved meanwhile", exc_info=True)
            goes_on = True
        ended = time.monotonic()
        with self._lock:
            if goes_on:
                pause = max(SAVE_SECONDS, _SHARE * (ended - began))
                self._saves[save] = ended + pause
            else:
                self._saves.pop(save, None)
