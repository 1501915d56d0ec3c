"""Base class of catalogs that store bytes by key.

Theory of operation. Everything stored has a key, `<run_id>/<compute folder>/...`: the
files of a run under their own relative paths, below `_objects/` the objects that tasks
returned. A subclass knows how the bytes of a key are written (whole, or not at
all), opened, listed, copied and dropped; names, patterns, links and hashes are the same
for all and are handled here.
"""

import abc
import contextlib
import glob
import hashlib
import os
import re
from collections.abc import (
    Callable,
    Collection,
    Generator,
    Iterable,
    Sequence,
)
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple, cast
from urllib.parse import quote

from pydantic import PrivateAttr

from runnable import defaults
from runnable.catalog.base import BaseCatalog, ObjectInfo, PutBy, Write
from runnable.catalog.errors import CatalogError, ObjectDamagedError
from runnable.catalog.hashing import (
    HashingFile,
    copy_and_hash,
    hash_file,
    hash_of,
    is_same,
)
from runnable.catalog.patterns import is_literal, literal_folder, matches, parse
from runnable.catalog.undo_log import Keys, UndoLog
from runnable.journal import DataCatalog
from runnable.system.atomic_files import TEMPORARY_NAME, replacing
from runnable.system.run_ids import check_run_id

_OBJECTS = "_objects"
_CACHE = ".cache"
"""No run id begins with a dot."""
_REMEMBERED = f"{_OBJECTS}/_remembered"
"""Folder where a run records the cache entries that it made."""
_DEFAULT_FOLDERS = (defaults.LOG_LOCATION_FOLDER, defaults.CATALOG_LOCATION_FOLDER)
"""Left by earlier runs, perhaps with other services."""
_TEMPORARY = re.compile(TEMPORARY_NAME)
_LONGEST_NAME = 120
_EXECUTION_LOG = ".execution.log"


class Upload(NamedTuple):
    """Bytes that are being written; they become visible when they are kept."""

    file: BinaryIO
    keep: Callable[[str, str], None]
    """Stores them under a key; the arguments are the key and their SHA-256."""


class KeyedCatalog(BaseCatalog):
    """Stores files and objects under keys; a subclass stores the bytes."""

    _within_run: str = PrivateAttr()
    """The separator between a run id and a file name."""

    def model_post_init(self, context: object, /) -> None:
        """Resolve the folder now: a task may change the working directory."""
        super().model_post_init(context)
        folder = self.compute_data_folder
        self._within_run = "" if folder == "." else f"/{folder}"

    @abc.abstractmethod
    def upload(self, folder: str) -> AbstractContextManager[Upload]:
        """Start to write; bytes that were not kept at the end are discarded.

        Args:
            folder: The beginning of the key that the bytes will have.
        """

    @abc.abstractmethod
    def open(self, key: str) -> AbstractContextManager[BinaryIO]:
        """Open the bytes of a key, for reading and seeking.

        Raises:
            FileNotFoundError: If there is no such key.
        """

    @abc.abstractmethod
    def has(self, key: str) -> bool:
        """Return True if a key exists."""

    @abc.abstractmethod
    def names(self, folder: str) -> Iterable[str]:
        """List the keys below a folder, relative to it."""

    @abc.abstractmethod
    def stored_hash(self, key: str, size_bytes: int) -> str:
        """Return the SHA-256 of a key's bytes; empty if they are not of this size."""

    @abc.abstractmethod
    def copy_key(self, source: str, target: str) -> None:
        """Copy the bytes of a key, whole or not at all; see `open` for errors."""

    @abc.abstractmethod
    def drop(self, folder: str) -> None:
        """Remove all keys below a folder."""

    @abc.abstractmethod
    def describe_key(self, key: str) -> str:
        """Describe the location of a key, for people."""

    def _root(self, run_id: str) -> str:
        return f"{check_run_id(run_id)}{self._within_run}"

    def put_files(
        self,
        pattern: str,
        *,
        run_id: str,
        store_copy: bool,
        missing_ok: bool,
        by: PutBy | None = None,
    ) -> list[DataCatalog]:
        """Store files of the compute folder; see `put`."""
        folder = self._compute_folder
        if not folder.is_dir():
            if missing_ok:
                return []
            raise CatalogError(pattern, f"has no folder: {folder}")
        root = self._root(run_id)
        kept: list[DataCatalog] = []
        own = [*self.own_files(), *(by.own_files if by else ()), *_DEFAULT_FOLDERS]
        for path in self._files(pattern, [os.path.abspath(it) for it in own]):  # noqa: PTH100 - of strings
            name = path.relative_to(folder).as_posix()
            if _is_refused(name, pattern, by, missing_ok=missing_ok):
                continue
            key = f"{root}/{name}"
            stays = by and by.may_replace is not None and name not in by.may_replace
            if stays and self.has(key):
                continue
            digest = self._keep(path, name, root, by) if store_copy else hash_file(path)
            kept.append(_entry(name, digest, key, "put"))
        if not kept and not missing_ok:
            hint = _hint(folder, pattern)
            raise CatalogError(pattern, f"matches no file in {folder}{hint}")
        return kept

    def _files(self, pattern: str, own: Sequence[str]) -> list[Path]:
        """Find files of the compute folder, sorted; none may lead out of it.

        Args:
            pattern: Of their names.
            own: Files and folders of services, which are left out.
        """
        folder = self._compute_folder
        wanted = "/".join(parse(pattern))
        # The whole list first: copying while the pattern is followed finds the copies.
        found = sorted(path for path in folder.glob(wanted) if path.is_file())
        inside = folder.resolve()
        files: list[Path] = []
        for path in found:
            if not path.resolve().is_relative_to(inside):
                problem = f"matches {path.name!r}, a link that leads out of the folder"
                raise CatalogError(pattern, problem)
            relative = path.relative_to(folder)
            if _TEMPORARY.fullmatch(path.name) or _is_own(path, own):
                continue
            if relative.parts[0] == _OBJECTS:
                problem = f"matches {relative}: {_OBJECTS!r} is the catalog's own name"
                raise CatalogError(pattern, problem)
            files.append(path)
        return files

    def _keep(self, path: Path, name: str, root: str, by: PutBy | None) -> str:
        """Store one file, unless it is stored already; return its hash."""
        key = f"{root}/{name}"
        known = self.stored_hash(key, path.stat().st_size)
        if known and hash_file(path) == known:
            return known
        with path.open("rb") as source, self.upload(os.path.dirname(key)) as upload:  # noqa: PTH120 - a key
            digest = copy_and_hash(source, upload.file)
            # Files that may be replaced need no backup.
            lasts = by is not None and by.may_replace is None
            if by and lasts and self._undo_log(root).back_up(name, by.attempt, digest):
                by.replaced.append(name)
            upload.keep(key, digest)
        return digest

    def _undo_log(self, root: str) -> UndoLog:
        keys = Keys(self.has, self.names, self.open, self.copy_key, self.drop)
        return UndoLog(root, keys)

    def close_attempts(
        self, attempts: Collection[str], *, run_id: str, succeeded: bool
    ) -> None:
        """Restore the files that attempts have replaced, unless they succeeded."""
        undo_log = self._undo_log(self._root(run_id))
        close = undo_log.forget if succeeded else undo_log.restore
        close(attempts)

    def open_attempts(self, run_id: str) -> list[str]:
        """List the attempts that have replaced files, and were not closed."""
        return self._undo_log(self._root(run_id)).attempts()

    def get_files(self, pattern: str, *, run_id: str) -> list[DataCatalog]:
        """Copy stored files to the compute folder; see `get`."""
        root, inside = self._root(run_id), self._compute_folder.resolve()
        copied: list[DataCatalog] = []
        for name in self._kept(root, pattern):
            target = self._compute_folder / name
            if not target.parent.resolve().is_relative_to(inside):
                problem = f"would write {name} through a link out of the folder"
                raise CatalogError(pattern, problem)
            digest = self._copy_out(f"{root}/{name}", target)
            copied.append(_entry(name, digest, name, "get"))
        if not copied:
            problem = f"matches no file in {self.describe_key(root)}"
            if any(self.names(f"{root}/{'/'.join(parse(pattern))}")):
                problem += f"; it is a folder, so write '{pattern}/*' or '{pattern}/**'"
            raise CatalogError(pattern, problem)
        return copied

    def _kept(self, root: str, pattern: str) -> list[str]:
        """Find the user's files of a run, sorted."""
        parts = parse(pattern)
        within = literal_folder(parts)
        if is_literal(parts):
            # One lookup, instead of a list of maybe a hundred thousand names.
            name = "/".join(parts)
            return [name] if self.has(f"{root}/{name}") else []
        start = f"{within}/" if within else ""
        names = (start + name for name in self.names(f"{root}/{within}".rstrip("/")))
        return sorted(
            name
            for name in names
            if matches(name.split("/"), parts)
            and not name.startswith(f"{_OBJECTS}/")
            and not name.endswith(_EXECUTION_LOG)
            and not _TEMPORARY.fullmatch(PurePosixPath(name).name)
        )

    def _copy_out(self, key: str, target: Path) -> str:
        """Copy one file, unless it is there already; return its hash."""
        if target.is_file():
            known = self.stored_hash(key, target.stat().st_size)
            if known and hash_file(target) == known:
                return known
        with self._opened(key) as source, replacing(str(target)) as file:
            return copy_and_hash(source, file)

    @contextlib.contextmanager
    def _opened(self, key: str) -> Generator[BinaryIO]:
        with self._opened_if_there(key) as file:
            if file is None:
                raise self._missing(key)
            yield file

    @contextlib.contextmanager
    def _opened_if_there(self, key: str) -> Generator[BinaryIO | None]:
        with contextlib.ExitStack() as stack:
            try:
                file = stack.enter_context(self.open(key))
            except FileNotFoundError:
                yield None
                return
            yield file

    def _missing(self, key: str) -> CatalogError:
        run_id, _, name = key.partition("/")
        problem = f"is not in the catalog of run {run_id!r}: {self.describe_key(key)}"
        return CatalogError(name, problem)

    def put_text(self, name: str, text: str, *, run_id: str) -> None:
        """Store a text, such as an execution log, under a name of its own."""
        self.put_long_text(name, [text], run_id=run_id)

    def put_long_text(self, name: str, pieces: Iterable[str], *, run_id: str) -> None:
        """Store a text, of which one piece is in memory at a time."""
        root = self._root(run_id)
        with self.upload(root) as upload:
            hashing = HashingFile(upload.file)
            for piece in pieces:
                hashing.write(piece.encode("utf-8", "backslashreplace"))
            upload.keep(f"{root}/{_checked(name)}", hashing.hexdigest())

    def put_object(
        self, folder: str, name: str, write: Write, *, run_id: str
    ) -> ObjectInfo:
        """Store an object under a key made of its folder and its content."""
        root = self._root(run_id)
        inside = f"{_OBJECTS}/{_as_file_name(folder)}"
        stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
        stem = _as_file_name(stem)
        with self.upload(f"{root}/{inside}") as upload:
            hashing = HashingFile(upload.file)
            write(cast("BinaryIO", hashing))
            digest = hashing.hexdigest()
            key = f"{inside}/{stem}-{digest[:16]}{suffix}"
            upload.keep(f"{root}/{key}", digest)
        return ObjectInfo(key, digest, hashing.size_bytes)

    @contextlib.contextmanager
    def open_verified(
        self, name: str, sha256: str, *, run_id: str, size_bytes: int | None = None
    ) -> Generator[BinaryIO]:
        """Open a stored object, after its bytes have been verified."""
        key = f"{self._root(run_id)}/{_checked(name)}"
        with self._opened(key) as file:
            if not is_same(file, sha256, size_bytes):
                where = self.describe_key(key)
                problem = f"is not what was stored, so it is not unpickled: {where}"
                raise ObjectDamagedError(name, problem)
            yield file

    def open_file(
        self, name: str, *, run_id: str
    ) -> contextlib.AbstractContextManager[BinaryIO | None]:
        """Open whatever is kept; None if there is none."""
        return self._opened_if_there(f"{self._root(run_id)}/{_checked(name)}")

    def sync_between_runs(
        self,
        previous_run_id: str,
        run_id: str,
        names: Sequence[str] | None = None,
        *,
        by: PutBy | None = None,
    ) -> None:
        """Copy the files and objects of another run."""
        source, target = self._root(previous_run_id), self._root(run_id)
        if names is None:
            names = sorted(set(self.names(source)) - set(self.names(target)))
        for name in map(_checked, names):
            try:
                if by is not None and not name.startswith(f"{_OBJECTS}/"):
                    self._back_up_replaced(source, target, name, by)
                self.copy_key(f"{source}/{name}", f"{target}/{name}")
            except FileNotFoundError:
                raise self._missing(f"{source}/{name}") from None

    def _back_up_replaced(self, source: str, target: str, name: str, by: PutBy) -> None:
        with self.open(f"{source}/{name}") as file:
            digest = hash_of(file)
        if self._undo_log(target).back_up(name, by.attempt, digest):
            by.replaced.append(name)

    def remember(self, key: str, text: str, *, run_id: str) -> None:
        """Store a cache entry for all runs, until the run that made it is removed."""
        content = text.encode()
        # The note comes first: by it, the entry is removed with the run.
        self.put_text(f"{_REMEMBERED}/{key}", "", run_id=run_id)
        self.drop(f"{_CACHE}/{key}")
        with self.upload(_CACHE) as upload:
            upload.file.write(content)
            digest = hashlib.sha256(content).hexdigest()
            upload.keep(f"{_CACHE}/{key}/{run_id}/end.json", digest)

    def recall(self, key: str) -> str | None:
        """Return the cache entry of a key; None if there is none."""
        for name in self.names(f"{_CACHE}/{key}"):
            with (
                contextlib.suppress(FileNotFoundError),  # just removed
                self.open(f"{_CACHE}/{key}/{name}") as file,
            ):
                return file.read().decode()
        return None

    def remove(self, run_id: str) -> None:
        """Remove the files, the objects and the cache entries of a run."""
        for key in tuple(self.names(f"{self._root(run_id)}/{_REMEMBERED}")):
            self.drop(f"{_CACHE}/{key}/{run_id}")
        self.drop(check_run_id(run_id))


def _hint(folder: Path, pattern: str) -> str:
    """Explain why a pattern matches no file, where that can be guessed."""
    if (folder / pattern).is_dir():
        return f"; it is a folder, so write '{pattern}/*' or '{pattern}/**'"
    if "[" in pattern and (folder / pattern).is_file():
        literal = glob.escape(pattern)
        return f"; [ ] is a pattern for one letter: write {literal!r}"
    return ""


def _is_own(path: Path, own: Sequence[str]) -> bool:
    """Return True if a service keeps something of its own in a file."""
    text = os.path.abspath(path)  # noqa: PTH100 - as those of the services
    return any(text.startswith((f"{it}{os.sep}", f"{it}-")) or text == it for it in own)


def _is_refused(name: str, pattern: str, by: PutBy | None, *, missing_ok: bool) -> bool:
    """Refuse a name with a secret in it; of a failed step, the file is left out."""
    if by is None or not by.hides(name):
        return False
    if not missing_ok:
        raise CatalogError(pattern, "finds a file with a secret in its name")
    return True


def _entry(name: str, digest: str, path: str, stage: str) -> DataCatalog:
    return DataCatalog(
        name=name, data_hash=digest, catalog_relative_path=path, stage=stage
    )


def _checked(name: str) -> str:
    """Refuse a name that leads out of the catalog of a run."""
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts or "\0" in name:
        raise CatalogError(name, "is no name within the catalog of a run")
    return name


def _as_file_name(text: str) -> str:
    # Readable where possible, never two names for one file, never too long for one.
    name = quote(text, safe=" ")
    if name in {".", ".."}:
        name = name.replace(".", "%2E")  # folders of every file system, and no names
    if len(name) > _LONGEST_NAME:
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{name[:_LONGEST_NAME]}~{digest}"
    return name
