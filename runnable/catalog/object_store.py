"""Catalogs in buckets: a key is the name of an object."""

import contextlib
import tempfile
from collections.abc import Generator, Iterable
from typing import BinaryIO, cast

from runnable.catalog.keyed import KeyedCatalog, Upload
from runnable.system.object_stores import MinioPlace, S3Place

_IN_MEMORY_BYTES = 8 * 1024 * 1024
"""Larger content is spooled to a temporary file during upload and download."""
_HASH = "sha256"


class S3Catalog(S3Place, KeyedCatalog):
    """Keeps files and objects in a bucket of S3.

    Example:
        >>> S3Catalog(bucket="data/runs").get_summary()["Location"]
        's3://data/runs'
    """

    @contextlib.contextmanager
    def upload(self, folder: str) -> Generator[Upload]:
        """Write here, and upload what is complete."""
        del folder
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
            opened = cast("BinaryIO", file)

            def keep(key: str, sha256: str) -> None:
                file.seek(0)
                self.objects.put(key, opened, **{_HASH: sha256})

            yield Upload(opened, keep)

    @contextlib.contextmanager
    def open(self, key: str) -> Generator[BinaryIO]:
        """Download it, and open what has come."""
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as file:
            for piece in self.objects.find(key).pieces:
                file.write(piece)
            file.seek(0)
            yield cast("BinaryIO", file)

    def has(self, key: str) -> bool:
        """Return True if there is such an object."""
        return self.objects.has(key)

    def names(self, folder: str) -> Iterable[str]:
        """List the objects of a folder."""
        return self.objects.names(folder)

    def stored_hash(self, key: str, size_bytes: int) -> str:
        """Return the hash that was kept beside the object."""
        try:
            found = self.objects.find(key, bytes_too=False)
        except FileNotFoundError:
            return ""
        same_size = found.size_bytes == size_bytes
        return found.attributes.get(_HASH, "") if same_size else ""

    def copy_key(self, source: str, target: str) -> None:
        """Have the server copy the object."""
        self.objects.copy(source, target)

    def drop(self, folder: str) -> None:
        """Delete the objects of a folder."""
        self.objects.delete([f"{folder}/{name}" for name in self.names(folder)])

    def describe_key(self, key: str) -> str:
        """Return the address."""
        return f"{self.location}, {key}"

    def get_summary(self) -> dict[str, str]:
        """Return the type and the location of this catalog."""
        return {"Type": self.service_name, "Location": self.location}


class MinioCatalog(MinioPlace, S3Catalog):
    """Keeps files and objects on a MinIO server.

    Example:
        >>> MinioCatalog().get_summary()["Location"]
        's3://runnable at http://localhost:9002'
    """
