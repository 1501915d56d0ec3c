"""A catalog in a folder: a key is a path below it."""

import contextlib
import os
import shutil
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import BinaryIO, ClassVar

from pydantic import JsonValue, PrivateAttr

from runnable import defaults
from runnable.catalog.errors import CatalogError
from runnable.catalog.hashing import hash_file
from runnable.catalog.keyed import KeyedCatalog, Upload
from runnable.system.atomic_files import atomic_file, replacing
from runnable.system.own_folder import make_own_folder
from runnable.system.regular_files import NoRegularFileError, open_file
from runnable.system.working_directory import absolute


class FileSystemCatalog(KeyedCatalog):
    """Keeps files and objects in a folder.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> catalog = FileSystemCatalog(catalog_location=str(folder))
        >>> catalog.put_text("note.txt", "hello", run_id="r1")
        >>> (folder / "r1" / "note.txt").read_text()
        'hello'
    """

    service_name: str = "file-system"
    is_local: ClassVar[bool] = True
    catalog_location: str = defaults.CATALOG_LOCATION_FOLDER
    """Relative to the working directory in which the run starts."""

    _location: Path = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Fix the folder now: a task may change the working directory."""
        super().model_post_init(context)
        self._location = absolute(self.catalog_location)

    @contextlib.contextmanager
    def upload(self, folder: str) -> Generator[Upload]:
        """Write beside where it will be kept."""
        make_own_folder(self._location)
        with self._no_clash(folder), atomic_file(str(self._path(folder))) as file:

            def keep(key: str, sha256: str) -> None:
                del sha256
                with self._no_clash(key):
                    file.keep(str(self._path(key)))

            yield Upload(file.file, keep)

    def _path(self, key: str) -> Path:
        """Return where a key is; no link on the way may lead out of the catalog."""
        path = self._location / key
        inside, parent = (os.path.realpath(it) for it in (self._location, path.parent))
        if parent != inside and not parent.startswith(inside + os.sep):
            raise CatalogError(key, "is behind a link that leads out of the catalog")
        return path

    @contextlib.contextmanager
    def _no_clash(self, key: str) -> Generator[None]:
        try:
            yield
        except (IsADirectoryError, NotADirectoryError, FileExistsError):
            problem = f"is the name of a file and of a folder: {self.describe_key(key)}"
            raise CatalogError(key.partition("/")[2], problem) from None

    @contextlib.contextmanager
    def open(self, key: str) -> Generator[BinaryIO]:
        """Open the file."""
        try:
            file = open_file(self._path(key))
        except NoRegularFileError as error:
            problem = f"cannot be read: {error}; remove it"
            raise CatalogError(key.partition("/")[2], problem) from None
        with file:
            yield file

    def has(self, key: str) -> bool:
        """Return True if there is such a file."""
        return self._is_kept(self._path(key))

    def names(self, folder: str) -> Iterable[str]:
        """Walk the folder."""
        root = self._path(folder)
        for path in root.rglob("*"):
            if self._is_kept(path):
                yield path.relative_to(root).as_posix()

    def _is_kept(self, path: Path) -> bool:
        if path.is_symlink() and not path.resolve().is_relative_to(self._location):
            raise CatalogError(path.name, "is a link that leads out of the catalog")
        return path.is_file()

    def stored_hash(self, key: str, size_bytes: int) -> str:
        """Hash the file, if it may be the same."""
        path = self._path(key)
        try:
            same_size = path.stat().st_size == size_bytes
            return hash_file(path) if same_size and path.is_file() else ""
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def copy_key(self, source: str, target: str) -> None:
        """Copy the file."""
        with self.open(source) as old, replacing(str(self._path(target))) as new:
            shutil.copyfileobj(old, new)

    def drop(self, folder: str) -> None:
        """Remove the folder."""
        path = self._path(folder)
        if path.is_symlink():
            raise CatalogError(folder, f"is a link, so it is not removed: {path}")
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            shutil.rmtree(path)

    def own_folder(self) -> str:
        """Return the folder."""
        return str(self._location)

    def located(self, folder: str) -> dict[str, JsonValue]:
        """Return the option that names the folder."""
        return {"catalog_location": folder}

    def own_files(self) -> list[str]:
        """Return the folder of the catalog."""
        return [str(self._location)]

    def describe_key(self, key: str) -> str:
        """Return the path."""
        return f"{self._location}{os.sep}{key}"

    def get_summary(self) -> dict[str, str]:
        """Return the type and the location of this catalog."""
        return {"Type": self.service_name, "Location": str(self._location)}
