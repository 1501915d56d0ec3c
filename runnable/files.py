"""Write files that appear at once and whole."""

import contextlib
import os
from collections.abc import Iterator
from typing import BinaryIO

TEMPORARY_NAME = r"\.[0-9a-f]{16}\.part"
"""What a file is called until it is complete."""


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
    temporary = f"{folder}/.{os.urandom(8).hex()}.part"
    try:
        file = open(temporary, "xb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103 - on a hot path
        file = open(temporary, "xb")  # noqa: SIM115 - closed below
    try:
        with file:
            yield file
            if to_disk:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, target)  # noqa: PTH105 - on a hot path
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108 - on a hot path
        raise
