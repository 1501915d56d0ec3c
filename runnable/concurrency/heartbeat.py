"""The runs that are active in this process, and their signs of life."""

import threading
from collections.abc import Callable
from contextlib import suppress

HEARTBEAT_SECONDS = 20.0
"""How often the owner of a run records that it is alive."""

_CLAIMED: set[str] = set()
"""Process-wide by nature: it is the process that has a run, whatever container and
whatever store object lead to it."""
_CLAIMING = threading.Lock()

Beat = Callable[[], object]
"""Records that a run is still active."""


class Heartbeats:
    """Knows the runs that are active in this process, and records that they are.

    One thread does so for all of them; it starts with the first run, and ends when
    there are none.

    Example:
        >>> heartbeats = Heartbeats()
        >>> heartbeats.claim("store r1"), heartbeats.claim("store r1")
        (True, False)
        >>> heartbeats.release("store r1")
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._beats: dict[str, Beat | None] = {}
        self._thread: threading.Thread | None = None
        self._ended = threading.Event()

    def has(self, key: str) -> bool:
        """Return whether a run is claimed in this process."""
        return key in _CLAIMED

    def claim(self, key: str) -> bool:
        """Claim exclusive execution, or deletion, of a run in this process.

        Args:
            key: Identifies the run: its store and its id.

        Returns:
            False if another caller in this process has it; else call `release`.
        """
        with _CLAIMING:
            if key in _CLAIMED:
                return False
            _CLAIMED.add(key)
            return True

    def add(self, key: str, beat: Beat | None) -> None:
        """Record regularly that a claimed run is active, until it is released.

        Args:
            key: Identifies the run: its store and its id.
            beat: Called every twenty seconds, in a thread of its own.
        """
        with self._lock:
            self._beats[key] = beat
            if beat is not None and self._thread is None:
                self._thread = threading.Thread(
                    target=self._beat_all, name="runnable-heartbeat", daemon=True
                )
                self._thread.start()

    def release(self, key: str) -> None:
        """Release a claimed run."""
        with self._lock:
            self._beats.pop(key, None)
        _CLAIMED.discard(key)

    def _beat_all(self) -> None:
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
