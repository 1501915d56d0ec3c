"""Open files that are files: a named pipe in their place would block for ever."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NoRegularFileError(OSError):
    """Something else has taken the place of a file; its text says what."""


def open_file(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a file to read it; never waits for somebody who writes to it.

    Args:
        path: The path of the file.

    Raises:
        NoRegularFileError: If it is a named pipe, a socket, a device or a folder.
        OSError: If it cannot be opened.
    """
    return os.fdopen(opened(path), "rb")


def opened(path: str | os.PathLike[str]) -> int:
    """Open a file to read it; return its descriptor, which the caller closes.

    Args:
        path: As for `open_file`, whose errors it raises.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.EOPNOTSUPP}:  # as sockets answer
            _check_is_file(Path(path).stat().st_mode, path)
        raise
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            _check_is_file(mode, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_is_file(mode: int, path: str | os.PathLike[str]) -> None:
    for is_kind, kind in _KINDS:
        if is_kind(mode):
            raise NoRegularFileError(f"{os.fspath(path)} is {kind}, not a file")
