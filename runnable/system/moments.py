"""Moments as run logs have them: text in UTC, with the offset; shown in local time."""

from datetime import UTC, datetime
from functools import lru_cache


def text_of(seconds: float) -> str:
    """Write a moment down.

    Args:
        seconds: Since 1970, in UTC.

    Example:
        >>> text_of(0.25)
        '1970-01-01 00:00:00.250000+00:00'
    """
    whole, rest = divmod(round(seconds * 1e6), 1_000_000)
    return f"{_text_of_second(whole)}.{rest:06d}+00:00"


@lru_cache(maxsize=8)
def _text_of_second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(" ")[:19]


def moment_of(text: str) -> datetime:
    """Read a moment.

    Args:
        text: Without an offset, as earlier versions wrote it, it is local time.

    Returns:
        The moment, with an offset.

    Raises:
        ValueError: If it is no moment.

    Example:
        >>> summer = moment_of("2026-10-25 02:30:00+02:00")
        >>> moment_of("2026-10-25 02:10:00+01:00") - summer
        datetime.timedelta(seconds=2400)
    """
    return aware(datetime.fromisoformat(text))


def aware(moment: datetime) -> datetime:
    """Return a moment with its offset; one without is local time.

    Args:
        moment: Such as a user gives it.
    """
    return moment if moment.tzinfo is not None else moment.astimezone()


def local_text(text: str) -> str:
    """Return a moment for people: in local time, to the second.

    Args:
        text: As run logs have it; empty if it is not known.

    Example:
        >>> local_text("")
        ''
    """
    if not text:
        return ""
    local = moment_of(text).astimezone()
    return local.replace(tzinfo=None, microsecond=0).isoformat(" ")
