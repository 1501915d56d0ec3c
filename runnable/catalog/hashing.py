"""Hash bytes while they are written, and copy files at the same time."""

import hashlib
import shutil
from pathlib import Path
from typing import BinaryIO

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


def copy_and_hash(source: Path, target: BinaryIO) -> str:
    """Copy a file into an open one, and return its SHA-256; it is read once."""
    hashing = HashingFile(target)
    with source.open("rb") as file:
        shutil.copyfileobj(file, hashing, HASH_CHUNK_SIZE)
    return hashing.hexdigest()
