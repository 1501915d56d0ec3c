"""A catalog in a folder.

`<catalog_location>/<run_id>/<compute_data_folder>/` holds the files of a run under
their own relative paths; below `_objects/` in it are the objects that tasks returned.
"""

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast
from urllib.parse import quote

from pydantic import PrivateAttr

from runnable import defaults
from runnable.catalog.base import BaseCatalog, StoredObject, Write
from runnable.catalog.hashing import HashingFile, copy_and_hash, hash_file
from runnable.datastore import DataCatalog
from runnable.exceptions import CatalogError, ObjectDamagedError
from runnable.files import TEMPORARY_NAME, replacing
from runnable.names import check_run_id

_OBJECTS = "_objects"
_TEMPORARY = re.compile(TEMPORARY_NAME)
_LONGEST_NAME = 120
_EXECUTION_LOG = ".execution.log"


class FileSystemCatalog(BaseCatalog):
    """Keeps files and objects in a folder.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> catalog = FileSystemCatalog(catalog_location=str(folder))
        >>> catalog.put_text("note.txt", "hello", run_id="r1")
        >>> (folder / "r1" / "note.txt").read_text()
        'hello'
    """

    service_name: str = "file-system"
    catalog_location: str = defaults.CATALOG_LOCATION_FOLDER
    """Relative to the working directory in which the run starts."""

    _location: Path = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Fix the folder now: a task may change the working directory."""
        super().model_post_init(context)
        self._location = Path(self.catalog_location).absolute()

    def _root(self, run_id: str) -> Path:
        return self._location / check_run_id(run_id) / self.compute_data_folder

    def put_files(
        self, pattern: str, *, run_id: str, store_copy: bool, missing_ok: bool
    ) -> list[DataCatalog]:
        """Keep files of the compute folder; see `put`."""
        if not self._compute_folder.is_dir():
            if missing_ok:
                return []
            raise CatalogError(pattern, f"has no folder: {self._compute_folder}")
        root = self._root(run_id)
        kept = []
        for path in self._matches(self._compute_folder, pattern, missing_ok=missing_ok):
            relative = path.relative_to(self._compute_folder)
            if relative.parts[0] == _OBJECTS:
                problem = f"matches {relative}: {_OBJECTS!r} is the catalog's own name"
                raise CatalogError(pattern, problem)
            stored = root / relative
            if store_copy:
                with replacing(str(stored)) as file:
                    content_hash = copy_and_hash(path, file)
            else:
                content_hash = hash_file(path)
            kept.append(
                DataCatalog(
                    name=relative.as_posix(),
                    data_hash=content_hash,
                    catalog_relative_path=stored.relative_to(self._location).as_posix(),
                    stage="put",
                )
            )
        return kept

    def get_files(self, pattern: str, *, run_id: str) -> list[DataCatalog]:
        """Bring kept files back; see `get`."""
        root, inside = self._root(run_id), self._compute_folder.resolve()
        brought = []
        for path in self._matches(root, pattern, missing_ok=False):
            relative = path.relative_to(root)
            target = self._compute_folder / relative
            if not target.parent.resolve().is_relative_to(inside):
                problem = f"would write {relative} through a link out of the folder"
                raise CatalogError(pattern, problem)
            with replacing(str(target)) as file:
                content_hash = copy_and_hash(path, file)
            brought.append(
                DataCatalog(
                    name=relative.as_posix(),
                    data_hash=content_hash,
                    catalog_relative_path=relative.as_posix(),
                    stage="get",
                )
            )
        return brought

    def _matches(self, folder: Path, pattern: str, *, missing_ok: bool) -> list[Path]:
        asked = PurePosixPath(pattern)
        if not pattern or asked.is_absolute() or ".." in asked.parts:
            raise CatalogError(pattern, "must be a pattern within the compute folder")
        # The whole list first: copying while the pattern is followed finds the copies.
        found = sorted(path for path in folder.glob(pattern) if path.is_file())
        inside = folder.resolve()
        matches = []
        for path in found:
            if not path.resolve().is_relative_to(inside):
                problem = f"matches {path.name!r}, a link that leads out of the folder"
                raise CatalogError(pattern, problem)
            if not self._is_own(path, folder):
                matches.append(path)
        if not matches and not missing_ok:
            hint = ""
            if (folder / pattern).is_dir():
                hint = f"; it is a folder, so write '{pattern}/*' or '{pattern}/**/*'"
            raise CatalogError(pattern, f"matches no file in {folder}{hint}")
        return matches

    def _is_own(self, path: Path, folder: Path) -> bool:
        """Tell whether a file is the catalog's business, not the user's."""
        if _TEMPORARY.fullmatch(path.name):
            return True
        if folder == self._compute_folder:
            return path.is_relative_to(self._location)
        return path.relative_to(folder).parts[0] == _OBJECTS or path.name.endswith(
            _EXECUTION_LOG
        )

    def put_text(self, name: str, text: str, *, run_id: str) -> None:
        """Keep a text, such as an execution log, under a name of its own."""
        content = text.encode("utf-8", "backslashreplace")
        folder = f"{self._location}/{check_run_id(run_id)}/{self.compute_data_folder}"
        with replacing(f"{folder}/{name}") as file:
            file.write(content)

    def put_object(
        self, folder: str, name: str, write: Write, *, run_id: str
    ) -> StoredObject:
        """Keep an object under a key made of its place and its content."""
        root = self._root(run_id)
        place = root / _OBJECTS / _as_file_name(folder)
        place.mkdir(parents=True, exist_ok=True)
        temporary = place / f".{os.urandom(8).hex()}.part"
        try:
            with temporary.open("xb") as file:
                hashing = HashingFile(file)
                write(cast("BinaryIO", hashing))
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
            digest = hashing.hexdigest()
            target = place / f"{_as_file_name(stem)}-{digest[:16]}{suffix}"
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        key = target.relative_to(root).as_posix()
        return StoredObject(key, digest, hashing.size_bytes)

    @contextlib.contextmanager
    def open_verified(
        self, name: str, sha256: str, *, run_id: str
    ) -> Iterator[BinaryIO]:
        """Open a kept object, after its bytes have been verified."""
        path = self._root(run_id) / name
        if not path.is_file():
            raise CatalogError(name, f"is not in the catalog of run {run_id!r}: {path}")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                problem = f"is not what was stored, so it is not unpickled: {path}"
                raise ObjectDamagedError(name, problem)
            file.seek(0)
            yield file

    def remove(self, run_id: str) -> None:
        """Remove everything that is kept of a run."""
        folder = self._location / check_run_id(run_id)
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)

    def get_summary(self) -> dict[str, str]:
        """Say what this catalog is and where it keeps things."""
        return {"Type": self.service_name, "Location": str(self._location)}


def _as_file_name(text: str) -> str:
    # Readable where possible, never two names for one file, never too long for one.
    name = quote(text, safe=" ")
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{name[:_LONGEST_NAME]}~{digest}"
    return name
