"""Segments: files of lines, written by the owner of a run and by joined processes."""

import contextlib
import os
import threading
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO, Literal

from runnable.datastore.codec import DamagedLineError, decode, encode
from runnable.datastore.errors import (
    RunLogContinuedError,
    RunLogDamagedError,
    RunLogNotFoundError,
)
from runnable.journal import Record
from runnable.system.atomic_files import locked
from runnable.system.regular_files import NoRegularFileError, opened

Durability = Literal["none", "process", "disk"]

_BUFFERED_BYTES = 64 * 1024
_TAIL_BYTES = 4 * 1024


class Segment:
    """One segment; the lock keeps the threads of this process in order.

    Args:
        descriptor: The segment, open for appending and reading.
        durability: What a record must survive.
        run_id: The run.
        following: The segment of the process that takes over from this one.
    """

    def __init__(
        self, descriptor: int, durability: Durability, run_id: str, following: str
    ) -> None:
        self._descriptor = descriptor
        self._durability = durability
        self._run_id = run_id
        self._following = following
        self._lock = threading.Lock()
        self._waiting = bytearray()
        self._size = 0

    def append(self, record: Record, *more: Record) -> None:
        """Keep records; see `Journal`."""
        lines = b"".join(map(encode, (record, *more))) if more else encode(record)
        with self._lock:
            self._waiting += lines
            if self._durability != "none" or len(self._waiting) > _BUFFERED_BYTES:
                self._write()
            if self._durability == "disk":
                os.fdatasync(self._descriptor)

    def _write(self) -> None:
        content = bytes(self._waiting)
        if self._durability != "none":
            # After an error was reported, the records must not appear later.
            self._waiting.clear()
        if not content:
            return
        with locked(self._descriptor):
            # `exists` takes three times as long.
            if os.access(self._following, os.F_OK):
                # This process was taken for dead, and another one has resumed the run.
                raise RunLogContinuedError(self._run_id)
            status = os.fstat(self._descriptor)
            if not status.st_nlink:
                # It was deleted meanwhile.
                location = str(Path(self._following).parent)
                raise RunLogNotFoundError(self._run_id, location)
            size = status.st_size
            if size != self._size:  # another process has written
                size -= self._take_cut_line(size)
            try:
                self._size = size + _write_all(self._descriptor, content)
            except OSError:
                # Take back half a line, so that a later record starts on its own. What
                # was accepted without being written may still be written later.
                with contextlib.suppress(OSError):
                    os.ftruncate(self._descriptor, size)
                raise
        self._waiting.clear()

    def _take_cut_line(self, size: int) -> int:
        """Remove the fragment that a killed process left; return its length."""
        _, cut = _tail(self._descriptor, size)
        if cut and _is_changed(cut):
            location = f"the segment before {self._following}"
            raise RunLogDamagedError(self._run_id, location, "its last line has no end")
        if cut:
            os.ftruncate(self._descriptor, size - len(cut))
        return len(cut)

    def flush(self) -> None:
        """Write what was accepted."""
        with self._lock:
            self._write()

    def close(self) -> None:
        """Write what was accepted, and close the file."""
        with self._lock:
            try:
                self._write()
            finally:
                os.close(self._descriptor)


class Places:
    """Where the latest readers of segments came to, so that nothing is read again."""

    _MOST = 64

    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int, int]] = {}

    def start(self, segment: str, file: BinaryIO, after: int) -> int:
        """Go to a line that is known, and return how many are before it.

        Args:
            segment: The path of the segment.
            file: The open segment.
            after: How many lines are skipped at most.
        """
        number, offset, identity = self._known.get(segment, (0, 0, 0))
        found = os.fstat(file.fileno())
        if number > after or identity != found.st_ino or offset > found.st_size:
            return 0
        file.seek(offset)
        return number

    def keep(self, segment: str, file: BinaryIO, number: int, offset: int) -> None:
        """Remember where a line ends.

        Args:
            segment: The path of the segment.
            file: The open segment.
            number: How many lines end there, from the start on.
            offset: How many bytes are before it.
        """
        self._known.pop(segment, None)
        self._known[segment] = number, offset, os.fstat(file.fileno()).st_ino
        if len(self._known) > self._MOST:
            self._known.pop(next(iter(self._known)), None)


def read_segment(
    segment: str, after: int = 0, places: Places | None = None
) -> Generator[Record, None, int]:
    """Yield the records of a segment.

    Args:
        segment: Its path.
        after: How many records to skip; they are not decoded.
        places: Remembers where it came to, and where to begin.

    Returns:
        How many records were skipped.

    Raises:
        DamagedLineError: When it comes to a line that was changed.
    """
    places = places or Places()
    with _open(segment) as lines:
        known = number = places.start(segment, lines, after)
        offset = lines.tell()
        for number, line in enumerate(lines, start=known + 1):
            if number <= after:
                offset += len(line)
                continue
            if not line.endswith(b"\n") and not _is_changed(line):
                return after  # cut by a kill: it was never acknowledged
            try:
                yield decode(line)
            except DamagedLineError as error:
                raise DamagedLineError(f"line {number}: {error}") from error
            offset += len(line)
        places.keep(segment, lines, number, offset)
        return min(number, max(after, 0))


@contextlib.contextmanager
def unwritten(segment: str) -> Generator[int]:
    """Keep other writers out of a segment.

    Args:
        segment: Its path.

    Yields:
        Its file descriptor.
    """
    _open(segment).close()
    descriptor = os.open(segment, os.O_RDWR)
    try:
        with locked(descriptor):
            yield descriptor
    finally:
        os.close(descriptor)


def first_line(segment: str) -> bytes:
    """Return the first line of a segment; empty if it is cut.

    Args:
        segment: Its path.
    """
    with _open(segment) as file:
        line = file.readline()
    return line if line.endswith(b"\n") else b""


def last_line(segment: str) -> bytes:
    """Return the last line of a segment that has its end; empty if there is none.

    Args:
        segment: Its path.
    """
    descriptor = _opened(segment)
    try:
        return _tail(descriptor, os.fstat(descriptor).st_size)[0]
    finally:
        os.close(descriptor)


def _open(segment: str) -> BinaryIO:
    return os.fdopen(_opened(segment), "rb")


def _opened(segment: str) -> int:
    try:
        return opened(segment)
    except NoRegularFileError as error:
        raise DamagedLineError(str(error)) from None


def _write_all(descriptor: int, content: bytes) -> int:
    written = 0
    while written < len(content):
        written += os.write(descriptor, content[written:])
    return written


def _tail(descriptor: int, size: int) -> tuple[bytes, bytes]:
    """Return the last line that has its end, and what was cut after it."""
    wanted = _TAIL_BYTES
    while True:
        start = max(0, size - wanted)
        whole, end, cut = os.pread(descriptor, size - start, start).rpartition(b"\n")
        before, _, line = whole.rpartition(b"\n")
        if before or not start:
            return line + end, cut
        wanted *= 4


def _is_changed(line: bytes) -> bool:
    """Return True if a line is whole, but for the character that ends it."""
    try:
        decode(line[:-1] + b"\n")
    except DamagedLineError:
        return False
    return True
