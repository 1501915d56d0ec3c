"""The scale of a timeline: long pauses take little room, and its marks are round."""

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_LONG_PAUSE = 0.2
"""A pause is long if it takes more than this part of the time in which anything ran."""
_SHORT_SECONDS = 1.0
"""No pause of this length is a long one."""
_PAUSE_WIDTH = 0.05
_MARKS = 8
_LEAST_BETWEEN = 0.07
_MINUTE, _HOUR = 60, 3600
_TENTHS_BELOW = 10


class Piece(NamedTuple):
    """A part of the scale, in which seconds are as long as each other."""

    starts: float
    """Seconds after the run began."""
    ends: float
    left: float
    """Where it is, from 0 to 1."""
    width: float
    is_pause: bool = False


class Mark(NamedTuple):
    """A mark of the scale."""

    left: float
    text: str


class TimeScale:
    """Says where the moments of a run are drawn.

    Args:
        busy: When something ran: from and to, in seconds after the run began.

    Example:
        >>> scale = TimeScale([(0, 2), (40, 42)])
        >>> [round(scale.left(moment), 2) for moment in (0, 2, 40, 42)]
        [0.0, 0.48, 0.52, 1.0]
    """

    def __init__(self, busy: Iterable[tuple[float, float]]) -> None:
        stretches = _merged(busy)
        worked = sum(end - start for start, end in stretches)
        self.pieces = _laid_out(stretches, worked)

    def left(self, moment: float) -> float:
        """Return where a moment is, from 0 to 1.

        Args:
            moment: Seconds after the run began.
        """
        for piece in self.pieces:
            if moment <= piece.ends:
                length = piece.ends - piece.starts
                part = (moment - piece.starts) / length if length else 0.0
                return piece.left + piece.width * max(part, 0.0)
        return 1.0

    @property
    def pauses(self) -> Sequence[Piece]:
        """The long pauses, which are drawn shorter than they were."""
        return [piece for piece in self.pieces if piece.is_pause]

    def marks(self) -> list[Mark]:
        """Return the marks: at round seconds, none too close to another one."""
        shown = sum(it.ends - it.starts for it in self.pieces if not it.is_pause)
        if not shown:
            return []
        step = _round_step(shown / _MARKS)
        marks: list[Mark] = []
        for piece in self.pieces:
            if piece.is_pause:
                continue
            first = math.ceil(piece.starts / step - 1e-9)
            last = math.floor(piece.ends / step + 1e-9)
            for number in range(first, last + 1):
                left = self.left(number * step)
                if not marks or left - marks[-1].left >= _LEAST_BETWEEN:
                    marks.append(Mark(left, duration_text(number * step)))
        return marks


def _merged(busy: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in sorted(busy):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _laid_out(stretches: Sequence[tuple[float, float]], worked: float) -> list[Piece]:
    if not stretches:
        return []
    joined = [stretches[0]]
    for start, end in stretches[1:]:
        # Short pauses belong to what is around them.
        if start - joined[-1][1] <= max(_LONG_PAUSE * worked, _SHORT_SECONDS):
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    shown = sum(end - start for start, end in joined) or 1.0
    pause = _PAUSE_WIDTH * shown
    whole = shown + pause * (len(joined) - 1)
    pieces: list[Piece] = []
    left = 0.0
    for start, end in joined:
        if pieces:
            before = pieces[-1].ends
            pieces.append(Piece(before, start, left, pause / whole, is_pause=True))
            left += pause / whole
        width = (end - start) / whole
        pieces.append(Piece(start, end, left, width))
        left += width
    return pieces


_SHORTEST = 1e-9
"""Seconds: no clock tells shorter ones apart."""


def _round_step(least: float) -> float:
    """Return the next 1, 2 or 5, or such a part of a minute or an hour."""
    for unit in (_HOUR, _MINUTE):
        if least > unit / 2:
            rounds = (1, 2, 5, 10, 15, 30, 60, 120, 300)
            return unit * next((it for it in rounds if unit * it >= least), 600)
    size = 10.0 ** math.floor(math.log10(max(least, _SHORTEST)))
    return size * next(it for it in (1, 2, 5, 10) if size * it >= least * (1 - 1e-9))


def duration_text(seconds: float) -> str:
    """Return a duration as people read it.

    Args:
        seconds: The duration.

    Example:
        >>> [duration_text(it) for it in (0, 0.0004, 0.25, 3.14159, 65, 7260)]
        ['0 s', '0.4 ms', '250 ms', '3.1 s', '1 m 05 s', '2 h 01 m']
    """
    if seconds >= _HOUR:
        hours, rest = divmod(round(seconds / _MINUTE), _MINUTE)
        return f"{hours} h {rest:02} m"
    if seconds >= _MINUTE:
        minutes, rest = divmod(round(seconds), _MINUTE)
        return f"{minutes} m {rest:02} s"
    if seconds >= 1:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    if not seconds:
        return "0 s"
    milliseconds = 1000 * seconds
    shown = (
        f"{milliseconds:.0f}"
        if milliseconds >= _TENTHS_BELOW
        else f"{milliseconds:.1f}"
    )
    return shown.removesuffix(".0") + " ms"
