"""A clock that a test holds."""

import datetime as dt


class FrozenClock:
    """Stands still until a test advances it, or a run waits before a retry.

    It is the time of run logs and events; what tasks ask the machine is real.

    Args:
        now: The local time that it shows.

    Example:
        >>> clock = FrozenClock(dt.datetime(2026, 1, 31, 10, 0))
        >>> clock.tick(90)
        >>> clock.now
        datetime.datetime(2026, 1, 31, 10, 1, 30)
    """

    def __init__(self, now: dt.datetime | None = None) -> None:
        self.now = now or dt.datetime(2026, 1, 31, 10, 0)  # noqa: DTZ001 - local
        """The local time."""

    def __call__(self) -> float:
        """Return the seconds since 1970."""
        return self.now.timestamp()

    def tick(self, seconds: float) -> None:
        """Go on.

        Args:
            seconds: How much later it is.
        """
        later = self.now.timestamp() + seconds  # right also where summer time ends
        self.now = dt.datetime.fromtimestamp(later)  # noqa: DTZ006 - local
