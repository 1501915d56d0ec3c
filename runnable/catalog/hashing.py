"""Hash bytes while they are written, and copy them at the same time."""

import hashlib
import os
import shutil
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from runnable.defaults import HASH_CHUNK_SIZE


class HashingFile:
    """A file that counts and hashes what is written to it.

    Only `write` is offered, which is all that picklers need.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def write(self, content: bytes | bytearray | memoryview, /) -> int:
        """Write, count and hash."""
        view = memoryview(content).cast("B")
        self._hash.update(view)
        self.size_bytes += view.nbytes
        return self._file.write(view)

    def hexdigest(self) -> str:
        """Return the SHA-256 of all that was written, 64 hexadecimal digits."""
        return self._hash.hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, which is read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_and_hash(source: BinaryIO, target: BinaryIO) -> str:
    """Copy an open file into another one, and return its SHA-256; it is read once."""
    hashing = HashingFile(target)
    shutil.copyfileobj(source, hashing, HASH_CHUNK_SIZE)
    return hashing.hexdigest()


def is_same(file: BinaryIO, sha256: str, size_bytes: int | None) -> bool:
    """Return True if a file has the bytes it had; leaves it at its beginning.

    Args:
        file: Open for reading, and seekable.
        sha256: What they amounted to.
        size_bytes: How many there were; None if that is not known.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size_bytes is not None and size != size_bytes:
        return False
    same = hash_of(file) == sha256
    file.seek(0)
    return same


def hash_of(file: BinaryIO) -> str:
    """Return the SHA-256 of the rest of an open file."""
    # Files opened here have `readinto`, though `BinaryIO` does not promise it.
    readable = cast("BufferedReader", file)
    return hashlib.file_digest(readable, "sha256").hexdigest()
