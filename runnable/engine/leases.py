"""Hold the process-wide lease on a run."""

from typing import Self

from runnable.concurrency import Heartbeats
from runnable.datastore import BaseRunLogStore
from runnable.datastore.errors import RetryValidationError
from runnable.engine.recorder import Recorder


class RunLease:
    """Marks a run as active in this process, for the length of a `with` block.

    Args:
        store: Where the run is recorded.
        heartbeats: Knows the runs of this process.
        run_id: The id of the run.
        exclusive: Whether it must not be active in this process already.

    Raises:
        RetryValidationError: If it is, and `exclusive` is set.
    """

    __slots__ = ("_beats", "_heartbeats", "_key", "_mine")

    def __init__(
        self,
        store: BaseRunLogStore,
        heartbeats: Heartbeats,
        run_id: str,
        *,
        exclusive: bool = False,
    ) -> None:
        self._heartbeats = heartbeats
        self._key, self._beats = store.key(run_id), store.is_shared
        self._mine = heartbeats.claim(self._key)
        if exclusive and not self._mine:
            raise RetryValidationError(run_id, "it is active in this process")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._mine:
            self._heartbeats.release(self._key)

    def beat_with(self, recorder: Recorder) -> None:
        """Record from now on that this process is alive, every twenty seconds."""
        if self._mine:
            self._heartbeats.add(self._key, recorder.beat if self._beats else None)
