"""`sys.stdout` and `sys.stderr`, which also go to the log of the step that writes.

Theory of operation. While runs are active, a proxy stands in front of each stream. It
passes everything on, so output appears live where it always did, and what the code of a
step writes is kept in that step's sink as well. Handlers of the root logger that write
to a stream are pointed at its proxy. A stream that somebody put in place meanwhile is
left alone when the last run ends.
"""

import logging
import sys
from typing import Any, TextIO

from runnable.scope import current_step


class RoutedStream:
    """A text stream that also feeds the sink of the step that writes."""

    def __init__(self, target: TextIO) -> None:
        self.target = target

    def write(self, text: str, /) -> int:
        """Pass on, and keep what has been accepted."""
        written = self.target.write(text)
        step = current_step()
        if step is not None:
            step.output.write(text)
        return written

    def writelines(self, lines: list[str], /) -> None:
        """Pass on and keep."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        if name == "target":
            raise AttributeError(name)  # while it is being copied
        return getattr(self.target, name)


class OutputLog:
    """What one attempt of a step has written."""

    def __init__(self) -> None:
        self._pieces: list[str] = []

    def write(self, text: str, /) -> None:
        """Keep a piece."""
        self._pieces.append(text)

    def text(self) -> str:
        """Return everything so far."""
        return "".join(self._pieces)


def route() -> list[tuple[logging.StreamHandler[Any], TextIO]]:
    """Put proxies in front of the standard streams.

    Returns:
        The handlers of the root logger that were pointed at a proxy, with the stream
        that they had, for `unroute`.
    """
    moved = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, RoutedStream):
            routed = RoutedStream(stream)
            setattr(sys, name, routed)
            for handler in _handlers_of(stream):
                handler.setStream(routed)
                moved.append((handler, stream))
    return moved


def _handlers_of(stream: object) -> list[logging.StreamHandler[Any]]:
    return [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler) and handler.stream is stream
    ]


def unroute(moved: list[tuple[logging.StreamHandler[Any], TextIO]]) -> None:
    """Take the proxies away, unless somebody else replaced them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, RoutedStream):
            setattr(sys, name, stream.target)
    for handler, stream in moved:
        if isinstance(handler.stream, RoutedStream):
            handler.setStream(stream)
