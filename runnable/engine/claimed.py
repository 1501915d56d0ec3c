"""That this process has a run, for as long as it has it."""

from typing import Self

from runnable.engine.recorder import Recorder
from runnable.engine.session import Services
from runnable.exceptions import RetryValidationError


class Claimed:
    """Has this process know that it has a run, for the length of a block.

    Args:
        services: Where the run is kept, and who knows of it.
        run_id: Its id.
        continued: Whether it was begun before, so that nobody here may have it.

    Raises:
        RetryValidationError: If the process has it already, and it is to go on.
    """

    __slots__ = ("_beats", "_key", "_mine", "_under_way")

    def __init__(
        self, services: Services, run_id: str, *, continued: bool = False
    ) -> None:
        store, self._under_way = services.run_log_store, services.under_way
        self._key, self._beats = store.key(run_id), store.is_shared
        self._mine = self._under_way.claim(self._key)
        if continued and not self._mine:
            raise RetryValidationError(run_id, "it is under way, in this very process")

    def __enter__(self) -> Self:
        """Go on."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the run back."""
        if self._mine:
            self._under_way.release(self._key)

    def beat_by(self, recorder: Recorder) -> None:
        """Have the run say, from now on, that this process is still there."""
        if self._mine:
            self._under_way.add(self._key, recorder.beat if self._beats else None)
