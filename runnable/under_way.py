"""The runs that are under way in this process."""

import threading
from collections.abc import Callable
from contextlib import suppress

HEARTBEAT_SECONDS = 20.0
"""How often the owner of a run says that it is there."""

_CLAIMED: set[str] = set()
"""Process-wide by nature: it is the process that has a run, whatever container and
whatever store object lead to it."""
_CLAIMING = threading.Lock()

Beat = Callable[[], object]
"""Records that a run is still there."""


class UnderWay:
    """Knows the runs that are under way, and says now and then that they are.

    One thread does so for all of them; it begins with the first run, and ends when it
    finds none.

    Example:
        >>> under_way = UnderWay()
        >>> under_way.claim("store r1"), under_way.claim("store r1")
        (True, False)
        >>> under_way.release("store r1")
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._beats: dict[str, Beat | None] = {}
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def has(self, key: str) -> bool:
        """Tell whether a run is claimed in this process."""
        return key in _CLAIMED

    def claim(self, key: str) -> bool:
        """Have a run for oneself, or what is left of it.

        Args:
            key: What identifies it: its store and its id.

        Returns:
            False if somebody in this process has it; else `release` gives it back.
        """
        with _CLAIMING:
            if key in _CLAIMED:
                return False
            _CLAIMED.add(key)
            return True

    def add(self, key: str, beat: Beat | None) -> None:
        """Say now and then that a claimed run is there, until it is released.

        Args:
            key: What identifies it: its store and its id.
            beat: Called every twenty seconds, in a thread of its own.
        """
        with self._lock:
            self._beats[key] = beat
            if beat is not None and self._thread is None:
                self._thread = threading.Thread(
                    target=self._go_on, name="runnable-heartbeat", daemon=True
                )
                self._thread.start()

    def release(self, key: str) -> None:
        """Give back what was claimed."""
        with self._lock:
            self._beats.pop(key, None)
        _CLAIMED.discard(key)

    def _go_on(self) -> None:
        while not self._ended.wait(HEARTBEAT_SECONDS):
            with self._lock:
                beats = [beat for beat in self._beats.values() if beat is not None]
                if not beats:
                    self._thread = None
                    return
            for beat in beats:
                # A run that ends just now needs none; a store that fails is noticed
                # by the next step.
                with suppress(Exception):
                    beat()
