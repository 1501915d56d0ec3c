"""`sys.stdout` and `sys.stderr`, which also go to the log of the step that writes.

Theory of operation. While runs are active, a proxy stands in front of each stream. What
the code of a step writes goes to that step's sink, which keeps it and passes it on, so
that it appears live where it always did; everything else is passed on at once. Handlers
of loggers that write to a stream are pointed at its proxy. A stream that somebody put
in place meanwhile is left alone when the last run ends.
"""

import logging
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Protocol, TextIO, cast

from runnable.scope import current_step

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Streams(Protocol):
    """Streams that output is passed on to, instead of those of this process."""

    @property
    def stdout(self) -> TextIO:
        """Instead of `sys.stdout`."""
        ...

    @property
    def stderr(self) -> TextIO:
        """Instead of `sys.stderr`."""
        ...


_WRAPPERS: list[Callable[[TextIO], TextIO]] = []
"""Layers between the proxies and the streams, such as a display."""


def _passed_to(stream: TextIO) -> TextIO:
    return _WRAPPERS[-1](stream) if _WRAPPERS else stream


@contextmanager
def written_through(wrapper: Callable[[TextIO], TextIO]) -> Generator[None]:
    """Have what is passed on to the standard streams go through something else.

    It holds in the whole process, as the streams do: for a display of the terminal
    that they write to.

    Args:
        wrapper: Returns what is written to instead of a stream, or the stream.
    """
    _WRAPPERS.append(wrapper)
    try:
        yield
    finally:
        _WRAPPERS.remove(wrapper)


def is_written_through() -> bool:
    """Return True if something else stands between the proxies and the streams."""
    return bool(_WRAPPERS)


def real_stream(name: Literal["stdout", "stderr"]) -> TextIO | None:
    """Return a standard stream itself, without the proxy; None if there is none.

    Args:
        name: Which one.
    """
    stream: TextIO | RoutedStream | None = getattr(sys, name)
    return stream.target if isinstance(stream, RoutedStream) else stream


class RoutedStream:
    """A text stream whose text goes to the sink of the step that writes."""

    def __init__(self, target: TextIO) -> None:
        self.target = target

    def write(self, text: str, /) -> int:
        """Have the step keep it and pass it on; outside a step, pass it on."""
        step, target = current_step(), _passed_to(self.target)
        if step is None:
            return target.write(text)
        step.output.write(text, target)
        return len(text)

    def flush(self) -> None:
        """Flush what it passes on to."""
        _passed_to(self.target).flush()

    def writelines(self, lines: Iterable[str], /) -> None:
        """Write each of several texts."""
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> "_RoutedBytes":
        """The stream of bytes below, for those who write bytes."""
        return _RoutedBytes(self, self.target.buffer)

    def close(self) -> None:
        """Close it; a step closes nothing that belongs to the whole process."""
        if current_step() is None:
            self.target.close()
        else:
            self.target.flush()

    def detach(self) -> BinaryIO:
        """Return the stream of bytes below; a step detaches nothing from it."""
        if current_step() is None:
            detach = cast("Callable[[], BinaryIO]", getattr(self.target, "detach"))  # noqa: B009 - of no TextIO
            return detach()
        return cast("BinaryIO", self.buffer)

    def __getattr__(self, name: str) -> object:
        if name == "target":
            raise AttributeError(name)  # while it is being copied
        return getattr(self.target, name)


class _RoutedBytes:
    """The bytes below a text stream; those of a step are text to its log."""

    def __init__(self, text: RoutedStream, target: BinaryIO) -> None:
        self._text = text
        self._target = target

    def write(self, piece: "ReadableBuffer", /) -> int:
        content = bytes(piece)
        if current_step() is None:
            return self._target.write(content)
        self._text.write(content.decode("utf-8", "backslashreplace"))
        return len(content)

    @property
    def raw(self) -> "_RoutedBytes":
        """The same: what is written goes on at once."""
        return self

    def detach(self) -> "_RoutedBytes":
        """Return the same."""
        return self

    def close(self) -> None:
        """Flush it alone: a wrapper of it that is garbage closes it, whenever."""
        self._target.flush()

    def __getattr__(self, name: str) -> object:
        if name == "_target":
            raise AttributeError(name)
        return getattr(self._target, name)


def route() -> list[tuple[logging.StreamHandler[Any], TextIO]]:
    """Put proxies in front of the standard streams.

    Returns:
        The handlers of loggers that were pointed at a proxy, with the stream that they
        had, for `unroute`.
    """
    moved: list[tuple[logging.StreamHandler[Any], TextIO]] = []
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, RoutedStream):
            routed = _routed(stream)
            setattr(sys, name, routed)
            for handler in _handlers_of(stream):
                handler.setStream(routed)
                moved.append((handler, stream))
    return moved


_PROXIES: deque[RoutedStream] = deque(maxlen=16)
"""The latest ones: Python's `print` keeps no reference to the stream it writes to, so
one that a thread is printing to must not go when the last run ends."""


def _routed(stream: TextIO) -> RoutedStream:
    for proxy in tuple(_PROXIES):
        if proxy.target is stream:
            return proxy
    proxy = RoutedStream(stream)
    _PROXIES.append(proxy)
    return proxy


def _handlers_of(stream: object) -> list[logging.StreamHandler[Any]]:
    # Whatever logger they belong to; asking each logger takes longer than a run.
    listed: list[Any] = list(logging._handlerList)  # type: ignore[attr-defined] # noqa: SLF001  # nothing public lists them
    every: list[Any] = [reference() for reference in listed]
    return [it for it in every if _writes_to(it, stream)]


def _writes_to(handler: object, stream: object) -> bool:
    # The handler of last resort looks at sys.stderr itself.
    looks_itself = isinstance(getattr(type(handler), "stream", None), property)
    is_there = getattr(handler, "stream", None) is stream and not looks_itself
    return is_there and isinstance(handler, logging.StreamHandler)


def unroute(moved: list[tuple[logging.StreamHandler[Any], TextIO]]) -> None:
    """Remove the proxies, unless other code has replaced them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, RoutedStream):
            setattr(sys, name, stream.target)
    for handler, stream in moved:
        if isinstance(handler.stream, RoutedStream):
            handler.setStream(stream)
