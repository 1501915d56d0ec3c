"""Write files that appear at once and whole."""

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

TEMPORARY_NAME = r"\.[0-9a-f]{16}\.part"
"""What a file is called until it is complete."""


class Draft(NamedTuple):
    """A file that nobody sees yet."""

    file: BinaryIO
    keep: Callable[[str], None]
    """Completes it, and gives it its path; missing folders are made."""


@contextlib.contextmanager
def drafting(folder: str, *, to_disk: bool = False) -> Iterator[Draft]:
    """Write a file whose name is known at its end; unless it is kept, it vanishes.

    Args:
        folder: Where it is drafted, on the file system where it will be kept.
        to_disk: Whether it must survive a failure of power.

    Yields:
        The file, and what keeps it.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> with drafting(str(folder)) as draft:
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
            yield Draft(file, keep)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108 - on a hot path


@contextlib.contextmanager
def replacing(target: str, *, to_disk: bool = False) -> Iterator[BinaryIO]:
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
    with drafting(folder, to_disk=to_disk) as draft:
        yield draft.file
        draft.keep(target)
