"""The port of catalogs: keep files and objects of a run, and bring them back."""

import abc
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import BinaryIO, NamedTuple, Self

from pydantic import PrivateAttr, field_validator

from runnable import defaults
from runnable.catalog.errors import CatalogError
from runnable.journal import DataCatalog
from runnable.scope.injection import Provide, inject
from runnable.scope.service import Service
from runnable.system.working_directory import working_directory

Write = Callable[[BinaryIO], None]
"""Writes the bytes of an object; called once, with a file that only goes forward."""


class ObjectInfo(NamedTuple):
    """Facts about a stored object."""

    key: str
    """Relative to the catalog of the run."""
    sha256: str
    """Of the bytes, 64 hexadecimal digits."""
    size_bytes: int


def _hides_nothing(name: str) -> bool:
    del name
    return False


@dataclass(slots=True)
class PutBy:
    """An attempt of a step that puts files."""

    attempt: str
    """Its name, with characters that are safe in file names."""
    may_replace: Collection[str] | None = None
    """The names of files that may be replaced for good; if None, all may be, and come
    back if the attempt does not succeed."""
    replaced: list[str] = field(default_factory=list[str])
    """Gets the names of files that come back then."""
    hides: Callable[[str], bool] = _hides_nothing
    """Returns True for a name with a secret in it: it is refused."""
    own_files: Sequence[str] = ()
    """Files and folders of the services of the run, which are no results."""


class BaseCatalog(Service, abc.ABC):
    """Keeps the files and objects of runs, each run apart from every other.

    A catalog of your own implements the abstract methods, which get the id of the run
    is meant, and is registered under the entry point group `catalog`.
    """

    service_type: str = "catalog"
    compute_data_folder: str = defaults.COMPUTE_DATA_FOLDER
    """Where tasks find and leave files, within the working directory."""

    _compute_folder: Path = PrivateAttr()

    def model_post_init(self, context: object, /) -> None:
        """Fix the folder now: a task may change the working directory."""
        super().model_post_init(context)
        # Without a working directory, there are no files; nothing else needs it.
        here = working_directory() or Path()
        self._compute_folder = here / self.compute_data_folder

    @field_validator("compute_data_folder")
    @classmethod
    def _stays_within(cls, folder: str) -> str:
        # It is part of the place of a run in the catalog, which nothing may leave.
        if PurePath(folder).is_absolute() or ".." in PurePath(folder).parts:
            raise ValueError("it must be a folder within the working directory")
        return PurePath(folder).as_posix()

    def in_folder(self, folder: str) -> Self:
        """Return this catalog as a task knows it that works in another directory.

        Args:
            folder: The working directory of the task; the compute folder is made there.
        """
        moved = self.model_copy()
        moved._compute_folder = Path(folder, self.compute_data_folder)  # noqa: SLF001 - our own
        moved._compute_folder.mkdir(parents=True, exist_ok=True)  # noqa: SLF001
        return moved

    @property
    def compute_folder(self) -> Path:
        """The folder in which tasks find and leave files."""
        return self._compute_folder

    @property
    def keeps_objects(self) -> bool:
        """True if objects can be stored; if not, a run keeps them in memory."""
        return True

    @inject
    def put(
        self,
        name: str,
        *,
        allow_file_not_found_exc: bool = False,
        store_copy: bool = True,
        run_id: str = Provide["run_id"],
    ) -> list[DataCatalog]:
        """Keep files of the compute folder.

        Args:
            name: A glob pattern, relative to the compute folder.
            allow_file_not_found_exc: Whether it is fine that nothing matches.
            store_copy: Whether the files are copied, or only recorded.
            run_id: The run they belong to; the current one by default.

        Returns:
            What was kept, with content hashes.

        Raises:
            CatalogError: If nothing matches, or the pattern leaves the folder.
        """
        return self.put_files(
            name,
            run_id=run_id,
            store_copy=store_copy,
            missing_ok=allow_file_not_found_exc,
        )

    @inject
    def get(self, name: str, *, run_id: str = Provide["run_id"]) -> list[DataCatalog]:
        """Bring kept files back into the compute folder.

        Args:
            name: A glob pattern, relative to the catalog of the run.
            run_id: The run they belong to; the current one by default.

        Returns:
            What was brought, with content hashes.

        Raises:
            CatalogError: If nothing matches.
        """
        return self.get_files(name, run_id=run_id)

    @abc.abstractmethod
    def put_files(
        self,
        pattern: str,
        *,
        run_id: str,
        store_copy: bool,
        missing_ok: bool,
        by: "PutBy | None" = None,
    ) -> list[DataCatalog]:
        """Store files of the compute folder; see `put`.

        Args:
            pattern: Matches the files.
            run_id: The run they belong to.
            store_copy: Copy them; otherwise they are only recorded.
            missing_ok: Accept that no file matches.
            by: The attempt of a step that puts them, if any.
        """

    def close_attempts(
        self, attempts: Collection[str], *, run_id: str, succeeded: bool
    ) -> None:
        """Restore the files that attempts have replaced, unless they succeeded.

        Args:
            attempts: Their names; see `PutBy`.
            run_id: The run they belong to.
            succeeded: True if they succeeded; then only the backups are dropped.
        """

    def open_attempts(self, run_id: str) -> list[str]:
        """List the attempts that have replaced files, and were not closed.

        Args:
            run_id: The run they belong to.
        """
        del run_id
        return []

    @abc.abstractmethod
    def get_files(self, pattern: str, *, run_id: str) -> list[DataCatalog]:
        """Copy stored files to the compute folder; see `get`."""

    @abc.abstractmethod
    def put_text(self, name: str, text: str, *, run_id: str) -> None:
        """Keep a text, such as an execution log, under a name of its own."""

    def put_long_text(self, name: str, pieces: Iterable[str], *, run_id: str) -> None:
        """Store a text that is longer than one may like to have in memory.

        Args:
            name: A name of its own.
            pieces: What it consists of.
            run_id: The run it belongs to.
        """
        self.put_text(name, "".join(pieces), run_id=run_id)

    @abc.abstractmethod
    def put_object(
        self, folder: str, name: str, write: Write, *, run_id: str
    ) -> ObjectInfo:
        """Keep an object under a key made of its place and its content.

        Args:
            folder: The path of the step it comes from.
            name: Its name, with the suffix of its format.
            write: Writes its bytes.
            run_id: The run it belongs to.

        Returns:
            Where it is, and what its bytes amount to.
        """

    @abc.abstractmethod
    def open_verified(
        self, name: str, sha256: str, *, run_id: str, size_bytes: int | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """Open a kept object, after its bytes have been verified.

        Args:
            name: Its key.
            sha256: What its bytes amounted to when it was stored.
            run_id: The run it belongs to.
            size_bytes: How many there were; None if that is not known.

        Raises:
            CatalogError: If there is none.
            ObjectDamagedError: If its bytes are not those that were stored.
        """

    def open_file(
        self, name: str, *, run_id: str
    ) -> AbstractContextManager[BinaryIO | None]:
        """Open whatever is kept, without verifying it; None if there is none.

        Args:
            name: Its key, relative to the catalog of the run.
            run_id: The run it belongs to.

        Raises:
            CatalogError: If this kind of catalog cannot, or the name leaves the run.
        """
        del run_id
        problem = f"cannot be read: a {type(self).__qualname__} does not know how"
        raise CatalogError(name, problem)

    def remove(self, run_id: str) -> None:
        """Remove everything that is kept of a run; nothing may be.

        Args:
            run_id: The run.

        Raises:
            CatalogError: If this kind of catalog cannot.
        """
        problem = f"cannot be removed: a {type(self).__qualname__} does not know how"
        raise CatalogError(run_id, problem)

    def remember(self, key: str, text: str, *, run_id: str) -> None:
        """Keep a text for all runs: how a cached step ended; nothing may be kept.

        Args:
            key: Of letters and digits; what it had before is replaced.
            text: What is kept.
            run_id: The run it comes from, and is removed with.
        """

    def recall(self, key: str) -> str | None:
        """Return what `remember` has kept; None if there is nothing.

        Args:
            key: As it was remembered.
        """
        del key
        return None

    def sync_between_runs(
        self,
        previous_run_id: str,
        run_id: str,
        names: Sequence[str] | None = None,
        *,
        by: PutBy | None = None,
    ) -> None:
        """Give a run what another one has kept.

        Args:
            previous_run_id: The other run.
            run_id: The run that gets it.
            names: Which files and objects, in the place of its own; if None, all that
                it does not have itself.
            by: The attempt of a step that they are for, if they are for one.

        Raises:
            CatalogError: If this kind of catalog cannot.
        """
        del previous_run_id, names, by
        problem = (
            f"cannot be given files: a {type(self).__qualname__} does not know how"
        )
        raise CatalogError(run_id, problem)

    @abc.abstractmethod
    def get_summary(self) -> dict[str, str]:
        """Return the type and the location of this catalog."""
