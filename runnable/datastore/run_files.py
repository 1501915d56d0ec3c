"""Reading the files, objects and execution logs that the catalog keeps of a run."""

import shutil
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, Protocol

from runnable.datastore.errors import ArtifactNotFoundError
from runnable.datastore.step_logs import StepAttempt
from runnable.errors import StoreError
from runnable.graph import execution_log_name
from runnable.journal import DataCatalog, StoredObject


class Part(NamedTuple):
    """A step of a run, or its job."""

    path: str
    files: Sequence[DataCatalog]
    attempts: Sequence[StepAttempt]
    prints: bool = True
    """False for the ends of graphs."""


class FileSource(Protocol):
    """Reads what is kept of one run: the catalog, for this run."""

    def open(self, key: str) -> AbstractContextManager[BinaryIO | None]:
        """Open a file; None if there is none."""
        ...


class Reader:
    """Reads files of a run, if it is known where they are kept.

    Args:
        source: Where they are kept; unknown if None.
    """

    def __init__(self, source: FileSource | None = None) -> None:
        self._source = source

    def __eq__(self, other: object) -> bool:
        # Run logs are equal if they say the same, whoever reads them.
        return isinstance(other, Reader)

    __hash__ = None  # type: ignore[assignment]  # as for all that compares by content

    def open(self, key: str) -> AbstractContextManager[BinaryIO | None]:
        """Open a file; see `FileSource`."""
        if self._source is None:
            raise StoreError(
                "this run log does not know its catalog; read it with get_run_log()"
            )
        return self._source.open(key)


@dataclass(frozen=True, slots=True)
class RunFile:
    """A file or an object that the catalog keeps of a run."""

    name: str
    """Of a file, its path in the compute folder; the name under which an object was
    returned."""
    step: str
    """The path of the step that it is from; `job` for that of a job."""
    kind: Literal["file", "object"]
    key: str
    """Where it is, relative to the catalog of the run."""
    sha256: str
    size_bytes: int | None
    """None if that was not recorded."""
    _reader: Reader = field(repr=False, default_factory=Reader)

    @contextmanager
    def open(self) -> Generator[BinaryIO]:
        """Open it for reading bytes.

        Raises:
            ArtifactNotFoundError: If it is not there any more.
        """
        with self._reader.open(self.key) as file:
            if file is None:
                raise ArtifactNotFoundError(self.name, "is not in the catalog any more")
            yield file

    def read_bytes(self) -> bytes:
        """Return all of its bytes."""
        with self.open() as file:
            return file.read()

    def save(self, path: str | Path) -> Path:
        """Copy it out of the catalog.

        Args:
            path: Of the new file; one that is there is replaced.

        Returns:
            The path.
        """
        target = Path(path)
        with self.open() as file, target.open("wb") as copy:
            shutil.copyfileobj(file, copy)
        return target


class ExecutionLog(NamedTuple):
    """The output of one attempt of a step."""

    step: str
    """The path of the step."""
    attempt: StepAttempt
    text: str
    """Empty if it has printed nothing, or has not ended."""


def files_of(run_id: str, parts: Iterable[Part], reader: Reader) -> list[RunFile]:
    """List the files and objects that steps have put, the latest of each place.

    Args:
        run_id: The run.
        parts: Its steps.
        reader: Reads them.
    """
    found: dict[str, RunFile] = {}
    for path, kept, attempts, _ in parts:
        put = [it for it in kept if it.stage == "put"]
        files = [_file(it, path, run_id, reader) for it in put]
        for attempt in attempts:
            returned = attempt.output_parameters.values()
            stored = [it for it in returned if isinstance(it, StoredObject)]
            files += [_object(it, path, reader) for it in stored if it.sha256]
        found.update({file.key: file for file in files})
    return list(found.values())


def _file(kept: DataCatalog, path: str, run_id: str, reader: Reader) -> RunFile:
    key = kept.catalog_relative_path.removeprefix(f"{run_id}/") or kept.name
    return RunFile(kept.name, path, "file", key, kept.data_hash, None, reader)


def _object(kept: StoredObject, path: str, reader: Reader) -> RunFile:
    size, digest = kept.size_bytes, kept.sha256
    return RunFile(kept.value, path, "object", kept.key, digest, size, reader)


def execution_logs_of(parts: Iterable[Part], reader: Reader) -> Iterator[ExecutionLog]:
    """Yield what the attempts of steps have printed.

    Args:
        parts: The steps.
        reader: Reads it.
    """
    for path, _, attempts, _ in parts:
        for attempt in attempts:
            text = text_of(reader, path, attempt.attempt_number)
            yield ExecutionLog(path, attempt, text)


def text_of(reader: Reader, path: str, attempt: int) -> str:
    """Return what an attempt of a step has printed; empty if that is nothing."""
    key = execution_log_name(path, attempt)
    with reader.open(key) as file:
        content = file.read() if file is not None else b""
    return content.decode("utf-8", "backslashreplace")
