"""Words and marks that all kinds of progress share."""

from runnable import defaults
from runnable.progress.run_progress import WAITING, RunProgress

_MARKS = {
    "": ("●", "*"),
    WAITING: ("·", "-"),
    defaults.SUCCESS: ("✓", "+"),
    defaults.FAIL: ("✗", "x"),
    defaults.CANCELLED: ("■", "#"),
}
_MINUTE, _HOUR = 60, 3600
_MOST_CAUSES = 5


def mark_of(status: str, encoding: str = "utf-8") -> str:
    """Return a sign for a status.

    Args:
        status: Empty for what is running.
        encoding: Of the stream that it is for.

    Example:
        >>> mark_of("SUCCESS"), mark_of("SUCCESS", "ascii")
        ('✓', '+')
    """
    signs = _MARKS.get(status, _MARKS[""])
    try:
        signs[0].encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return signs[1]
    return signs[0]


def seconds_text(seconds: float) -> str:
    """Return a duration as people read it.

    Example:
        >>> seconds_text(0.123), seconds_text(75), seconds_text(7322)
        ('0.1 s', '1:15', '2:02:02')
    """
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    hours, rest = divmod(whole, _HOUR)
    minutes = f"{rest // _MINUTE}:{rest % _MINUTE:02}"
    return f"{hours}:{minutes:0>5}" if hours else minutes


def end_text(run: RunProgress) -> str:
    """Return how a run has ended, and why if it failed.

    Args:
        run: A run that has ended.
    """
    status = run.status or "has no end"
    lines = [f"{run.title}: {status} after {seconds_text(run.seconds)}"]
    causes = run.causes() if run.status == defaults.FAIL else []
    lines += [f"  {it.name}: {it.detail}" for it in causes[:_MOST_CAUSES]]
    if more := len(causes[_MOST_CAUSES:]):
        lines.append(f"  and {more} more")
    return "\n".join(lines)
