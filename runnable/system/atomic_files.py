"""Write files that appear at once and whole."""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Generator
from typing import BinaryIO, NamedTuple

if sys.platform == "win32":

    def _lock(descriptor: int) -> None:
        """Do nothing: a lock would keep readers out."""

    _unlock = _lock
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP}
_LOCKED_SECONDS = 60
_LOOK_AGAIN_SECONDS = 0.001

TEMPORARY_NAME = r"\.[0-9a-f]{16}\.part"
"""Name of a file until it is complete."""


class AtomicFile(NamedTuple):
    """A file that is not visible yet."""

    file: BinaryIO
    keep: Callable[[str], None]
    """Completes it, and gives it its path; missing folders are made."""


@contextlib.contextmanager
def atomic_file(folder: str, *, to_disk: bool = False) -> Generator[AtomicFile]:
    """Write a file whose name is known at its end; unless it is kept, it vanishes.

    Args:
        folder: Where it is drafted, on the file system where it will be kept.
        to_disk: Whether it must survive a failure of power.

    Yields:
        The file, and what keeps it.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> with atomic_file(str(folder)) as draft:
        ...     _ = draft.file.write(b"hello")
        ...     draft.keep(f"{folder}/notes/5.txt")
        >>> (folder / "notes" / "5.txt").read_text()
        'hello'
    """
    temporary = f"{folder}/.{os.urandom(8).hex()}.part"
    try:
        file = open(temporary, "xb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - on a hot path
        file = open(temporary, "xb")  # noqa: SIM115 - closed below

    def keep(target: str) -> None:
        file.flush()
        if to_disk:
            os.fsync(file.fileno())
        file.close()
        try:
            os.replace(temporary, target)  # noqa: PTH105 - on a hot path
        except FileNotFoundError:
            os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
            os.replace(temporary, target)  # noqa: PTH105

    try:
        with file:
            yield AtomicFile(file, keep)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108 - on a hot path


@contextlib.contextmanager
def replacing(target: str, *, to_disk: bool = False) -> Generator[BinaryIO]:
    """Write a file that replaces an older one when it is complete, or not at all.

    Args:
        target: Its path; missing folders are made.
        to_disk: Whether it must survive a failure of power.

    Yields:
        The file, open for writing bytes.

    Example:
        >>> path = getfixture("tmp_path") / "new" / "note.txt"
        >>> with replacing(str(path)) as file:
        ...     _ = file.write(b"hello")
        >>> path.read_text()
        'hello'
    """
    folder = os.path.dirname(target)  # noqa: PTH120 - on a hot path
    with atomic_file(folder, to_disk=to_disk) as draft:
        yield draft.file
        draft.keep(target)


class locked:  # noqa: N801 - a context manager, used as a function
    """Have a file alone among the processes that ask for it, on Windows not.

    A process that ends gives it back. Where the file system knows no locks, nobody
    waits for anybody.

    Args:
        descriptor: The file, open.

    Raises:
        TimeoutError: If another process has it for a minute: it must have been stopped.

    Example:
        >>> with (getfixture("tmp_path") / "notes").open("wb") as file:
        ...     with locked(file.fileno()):
        ...         _ = file.write(b"hello")
    """

    __slots__ = ("_descriptor", "_is_locked")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> None:
        self._is_locked = _try_lock(self._descriptor)

    def __exit__(self, *error: object) -> None:
        if self._is_locked:
            _unlock(self._descriptor)


def _try_lock(descriptor: int) -> bool:
    waiting_since = None
    while True:
        try:
            _lock(descriptor)
        except BlockingIOError:
            waiting_since = waiting_since or time.monotonic()
            if time.monotonic() - waiting_since > _LOCKED_SECONDS:
                raise TimeoutError(
                    f"a file has been locked for {_LOCKED_SECONDS} seconds; "
                    "was a process that writes to it stopped?"
                ) from None
            time.sleep(_LOOK_AGAIN_SECONDS)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return False
        else:
            return True
