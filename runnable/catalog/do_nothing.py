"""A catalog that keeps nothing."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO, ClassVar

from runnable.catalog.base import BaseCatalog, ObjectInfo, PutBy, Write
from runnable.catalog.errors import CatalogError
from runnable.journal import DataCatalog


class DoNothingCatalog(BaseCatalog):
    """Keeps nothing: for pipelines whose files need not outlive the run.

    Objects that tasks return stay in the memory of the run.

    Example:
        >>> DoNothingCatalog().put("*.csv", run_id="r1")
        []
    """

    stateless: ClassVar[bool] = True
    service_name: str = "do-nothing"
    is_local: ClassVar[bool] = True

    @property
    def keeps_objects(self) -> bool:
        """False: objects must stay in memory."""
        return False

    def put_files(
        self,
        pattern: str,
        *,
        run_id: str,
        store_copy: bool,
        missing_ok: bool,
        by: PutBy | None = None,
    ) -> list[DataCatalog]:
        """Keep nothing."""
        del pattern, run_id, store_copy, missing_ok, by
        return []

    def get_files(self, pattern: str, *, run_id: str) -> list[DataCatalog]:
        """Bring nothing."""
        del pattern, run_id
        return []

    def put_text(self, name: str, text: str, *, run_id: str) -> None:
        """Keep nothing."""

    def put_long_text(self, name: str, pieces: Iterable[str], *, run_id: str) -> None:
        """Keep nothing."""

    def open_file(
        self, name: str, *, run_id: str
    ) -> AbstractContextManager[BinaryIO | None]:
        """Find nothing."""
        del name, run_id
        return nullcontext()

    def put_object(
        self, folder: str, name: str, write: Write, *, run_id: str
    ) -> ObjectInfo:
        """Refuse: what is stored here could never be read."""
        del folder, write, run_id
        raise CatalogError(name, "cannot be stored: this catalog keeps nothing")

    def open_verified(
        self, name: str, sha256: str, *, run_id: str, size_bytes: int | None = None
    ) -> AbstractContextManager[BinaryIO]:
        """Refuse: nothing is here."""
        del sha256, run_id, size_bytes
        raise CatalogError(name, "is not here: this catalog keeps nothing")

    def sync_between_runs(
        self,
        previous_run_id: str,
        run_id: str,
        names: Sequence[str] | None = None,
        *,
        by: PutBy | None = None,
    ) -> None:
        """Give nothing: nothing is kept."""

    def remove(self, run_id: str) -> None:
        """Remove nothing: nothing is kept."""

    def get_summary(self) -> dict[str, str]:
        """Return the type of this catalog; it has no location."""
        return {"Type": self.service_name, "Location": "nowhere"}
