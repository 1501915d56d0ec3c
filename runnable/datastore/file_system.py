"""A run log store in a folder: the journal of each run, and a readable copy.

Theory of operation. `<log_folder>/<run_id>.000001.jsonl` is the first segment of a
journal; whoever creates it has begun the run. Readers go on with the next numbers, each
begun by a process that continues the run after its owner has stopped. A record is one
line, written under a lock of its segment, which is where processes that join a run wait
for each other, and where one that was thought to be gone sees that there is a next
segment. After a kill, the last line may be cut, and is then no record: who writes next
takes it away. `<run_id>.json` is the run log for people and other programs; it replaces
an older one atomically when the run ends. Logs of version 0.50 are one such file, or
the pieces in a folder `<run_id>`.
"""

import glob
import itertools
import os
import re
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import ClassVar

from pydantic import JsonValue, PrivateAttr

from runnable import defaults
from runnable.datastore.codec import DamagedLineError, decode
from runnable.datastore.earlier_logs import BRANCH, ROOT, ends_of, join_pieces
from runnable.datastore.errors import (
    RunLogContinuedError,
    RunLogDamagedError,
    RunLogExistsError,
    RunLogNotFoundError,
)
from runnable.datastore.run_log import RunLog
from runnable.datastore.run_summary import RunSummary, Wanted, select
from runnable.datastore.segment_file import (
    Durability,
    Places,
    Segment,
    first_line,
    last_line,
    read_segment,
    unwritten,
)
from runnable.datastore.snapshot import dump_run_log, load_run_log
from runnable.datastore.store import BaseRunLogStore, Journal
from runnable.journal import Record, sums_up
from runnable.system.atomic_files import replacing
from runnable.system.errors import StoreAccessError
from runnable.system.own_folder import make_own_folder
from runnable.system.regular_files import NoRegularFileError, open_file
from runnable.system.run_ids import check_run_id
from runnable.system.working_directory import absolute

_FILE_NAME = re.compile(r"([^.].*?)(?:\.([0-9]{6})\.jsonl|\.json)")


class FileSystemRunLogStore(BaseRunLogStore):
    """Keeps run logs in a folder.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> store = FileSystemRunLogStore(log_folder=str(folder))
        >>> from runnable.journal import RunStarted
        >>> first = RunStarted("", "r1", "", "", {}, {}, [])
        >>> store.create("r1", first).close()
        >>> store.list_run_ids()
        ['r1']
    """

    service_name: str = "file-system"
    is_local: ClassVar[bool] = True
    log_folder: str = defaults.LOG_LOCATION_FOLDER
    """Relative to the working directory in which the run starts."""
    durability: Durability = "process"
    """The faults that a record survives: `none` only the end of the run, `process` a
    kill of the process, `disk` a failure of power."""

    _root: Path = PrivateAttr()
    _places: Places = PrivateAttr(default_factory=Places)

    def model_post_init(self, context: object, /) -> None:
        """Fix the folder now: a task may change the working directory."""
        super().model_post_init(context)
        self._root = absolute(self.log_folder)

    def own_folder(self) -> str:
        """Return the folder."""
        return str(self._root)

    def located(self, folder: str) -> dict[str, JsonValue]:
        """Return the option that names the folder."""
        return {"log_folder": folder}

    def own_files(self) -> list[str]:
        """Return the folder of the run logs."""
        return [str(self._root)]

    def create(self, run_id: str, first: Record) -> Journal:
        """Create the journal of a new run, with its first record."""
        # A second segment is what a kill has left of a deletion.
        earlier = f"{self._root}/{check_run_id(run_id)}/{ROOT}.json"
        taken = (self._snapshot(run_id), self._segment(run_id, 2), earlier)
        if any(map(os.path.exists, taken)):
            raise RunLogExistsError(run_id, str(self._root))
        try:
            try:
                return self._begin(run_id, 1, first)
            except FileNotFoundError:
                make_own_folder(self._root)
                return self._begin(run_id, 1, first)
        except FileExistsError:
            raise RunLogExistsError(run_id, str(self._root)) from None
        except OSError as error:
            why = error.strerror or str(error)
            advice = "Check the folder, and who may write there."
            raise StoreAccessError(str(self._root), why, advice) from error

    def _begin(
        self,
        run_id: str,
        number: int,
        first: Record,
        alone: AbstractContextManager[object] | None = None,
    ) -> Journal:
        """Create a segment that appears with its first record in it.

        So nobody ever sees a run that nobody has, and what a kill or a full disk leaves
        behind is no run.

        Args:
            run_id: The run.
            number: That of the segment.
            first: Its first record.
            alone: Entered while it appears.
        """
        draft, segment = self._draft(), self._segment(run_id, number)
        journal = self._journal(draft, run_id, number)
        try:
            journal.append(first)
            journal.flush()
            with alone or nullcontext():
                _appear(draft, segment)
        except BaseException:
            with suppress(OSError):  # the reason why is raised already
                journal.close()
            raise
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft)  # noqa: PTH108 - a string, as all paths of runs
        return journal

    def _draft(self) -> str:
        return f"{self._root}/.{os.urandom(8).hex()}.part"

    def _journal(
        self, path: str, run_id: str, number: int, flags: int = os.O_CREAT | os.O_EXCL
    ) -> Segment:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | flags, 0o644)
        following = self._segment(run_id, number + 1)
        return Segment(descriptor, self.durability, run_id, following)

    def join(self, run_id: str) -> Journal:
        """Write to the journal of a run that another process has."""
        number = self._last(run_id)
        return self._journal(self._segment(run_id, number), run_id, number, flags=0)

    def reopen(self, run_id: str, first: Record, seen: int) -> Journal:
        """Continue the journal of an existing run, in a new segment."""
        number = 1 + self._last(run_id)
        try:
            return self._begin(run_id, number, first, self._unchanged(run_id, seen))
        except FileExistsError:
            raise RunLogContinuedError(run_id) from None
        except FileNotFoundError:
            raise RunLogNotFoundError(run_id, str(self._root)) from None

    @contextmanager
    def _unchanged(self, run_id: str, seen: int) -> Generator[None]:
        """Keep other writers out, if the run has as many records as the caller saw."""
        with unwritten(self._segment(run_id, self._last(run_id))):
            if sum(1 for _ in self.read(run_id)) != seen:
                raise RunLogContinuedError(run_id)
            yield

    def _last(self, run_id: str) -> int:
        """Return the number of the segment that is being written."""
        number = sum(1 for _ in self._segments(run_id))
        if not number:
            raise RunLogNotFoundError(run_id, str(self._root))
        return number

    def _segments(self, run_id: str) -> Generator[str]:
        for number in itertools.count(1):
            segment = self._segment(run_id, number)
            if not os.path.exists(segment):
                return
            yield segment

    def read(self, run_id: str, after: int = 0) -> Iterator[Record]:
        """Yield the records of a run, in the order they were written."""
        if os.path.exists(self._segment(run_id, 1)):
            return self._read(run_id, after)
        left = self._left(run_id)
        if os.path.exists(self._segment(run_id, 1)):
            return self._read(run_id, after)  # it began just now
        if left:
            why = "its deletion started and did not finish; delete it again"
            raise RunLogDamagedError(run_id, left[0], why)
        raise RunLogNotFoundError(run_id, str(self._root))

    def _read(self, run_id: str, after: int) -> Iterator[Record]:
        for number in itertools.count(1):
            segment = self._segment(run_id, number)
            try:
                after -= yield from read_segment(segment, after, self._places)
            except FileNotFoundError:
                return
            except DamagedLineError as error:
                raise RunLogDamagedError(run_id, segment, str(error)) from error

    def earlier_log(self, run_id: str) -> RunLog | None:
        """Read a log that has no journal: one that version 0.50 has written."""
        if os.path.isfile(snapshot := self._snapshot(run_id)):
            return load_run_log(run_id, Path(snapshot))
        if pieces := self._pieces(run_id):
            content = {it.stem: it.read_bytes() for it in pieces}
            return join_pieces(run_id, str(pieces[0].parent), content)
        return None

    def finish(self, run_log: RunLog) -> None:
        """Write the copy that people and other programs read."""
        target = self._snapshot(run_log.run_id)
        with replacing(target, to_disk=self.durability == "disk") as file:
            file.writelines(dump_run_log(run_log))
        if not os.path.exists(self._segment(run_log.run_id, 1)):
            Path(target).unlink(missing_ok=True)  # the run was deleted meanwhile

    def _state(self, run_id: str) -> str:
        return f"{self._root}/.{check_run_id(run_id)}.state"

    def save_state(self, run_id: str, content: bytes) -> None:
        """Save the state of a run in a hidden file."""
        with replacing(self._state(run_id)) as file:
            file.write(content)
        if not os.path.exists(self._segment(run_id, 1)):
            Path(self._state(run_id)).unlink(missing_ok=True)  # deleted meanwhile

    def load_state(self, run_id: str) -> bytes | None:
        """Return the state of a run that was saved last."""
        try:
            with open_file(self._state(run_id)) as file:
                return file.read()
        except (FileNotFoundError, NoRegularFileError):
            return None

    def remove(self, run_id: str) -> None:
        """Remove the log of a run for good.

        The first segment goes before the others, so that nobody can go on with an
        earlier state; what a kill leaves behind is found by looking for it.
        """
        snapshot = self._snapshot(run_id)
        segments = [*self._segments(run_id)] or self._left(run_id)
        pieces = self._pieces(run_id)
        if not segments and not os.path.exists(snapshot) and not pieces:
            raise RunLogNotFoundError(run_id, str(self._root))
        # The copy first, or it would stand for the run; and who has just finished the
        # run may have written it again.
        # Of the others, the second goes last: `create` looks for that.
        state = self._state(run_id)
        for file in (
            *(snapshot, *segments[:1], *reversed(segments[1:])),
            *(snapshot, state),
        ):
            Path(file).unlink(missing_ok=True)
        # The first piece, without which the others are no run, goes last.
        for piece in reversed(pieces):
            piece.unlink(missing_ok=True)
        if pieces:
            with suppress(OSError):  # something else is in there
                pieces[0].parent.rmdir()

    def _pieces(self, run_id: str) -> list[Path]:
        """List the files of a run log that version 0.50 wrote in pieces."""
        folder = self._root / check_run_id(run_id)
        root = folder / f"{ROOT}.json"
        if not root.is_file():
            return []
        return [root, *sorted(folder.glob(f"{BRANCH}*.json"))]

    def _left(self, run_id: str) -> list[str]:
        pattern = f"{glob.escape(self._segment(run_id, 1)[:-12])}[0-9]*.jsonl"
        return sorted(glob.glob(pattern))  # noqa: PTH207 - paths are plain text here

    def latest_first(self, run_ids: Iterable[str]) -> list[str]:
        """Sort run ids by when their first segments were written to."""
        suffix = ".000001.jsonl"
        written: dict[str, float] = {}
        with os.scandir(self._root) as entries:
            found = [it for it in entries if it.name.endswith(suffix)]
        for entry in found:
            with suppress(FileNotFoundError):  # just deleted
                written[entry.name.removesuffix(suffix)] = entry.stat().st_mtime
        return sorted(run_ids, key=lambda it: written.get(it, 0.0), reverse=True)

    def ends(self, run_id: str) -> tuple[Record | None, Record | None]:
        """Read the last record, and the first one if that is not enough."""
        return self._ends(run_id, [*self._segments(run_id)])

    def _ends(
        self, run_id: str, segments: Sequence[str]
    ) -> tuple[Record | None, Record | None]:
        if not segments:
            return ends_of(self.get_run_log_by_id(run_id))  # of version 0.50
        last = _decoded(last_line(segments[-1]), run_id, segments[-1])
        if sums_up(last):
            return None, last
        first = _decoded(first_line(segments[0]), run_id, segments[0])
        return first, last or first

    def list_runs(self, wanted: Wanted = Wanted()) -> list[RunSummary]:  # noqa: B008 - immutable
        """List runs, the latest first; a damaged one hides no other."""
        # One look at the folder says how many segments each run has.
        found = self._found()
        root = self._root

        def read(run_id: str) -> tuple[Record | None, Record | None]:
            count = found[run_id]
            names = (f"{root}/{run_id}.{it + 1:06}.jsonl" for it in range(count))
            try:
                return self._ends(run_id, [*names])
            except FileNotFoundError:
                return self.ends(run_id)  # removed, or that did not finish

        return select((self.summed_up(it, read) for it in sorted(found)), wanted)

    def list_run_ids(self) -> list[str]:
        """List the ids of all runs, sorted."""
        return sorted(self._found())

    def _found(self) -> dict[str, int]:
        """Return how many segments each run has; a log of version 0.50 has none."""
        if not self._root.is_dir():
            return {}
        found: dict[str, int] = {}
        for name in os.listdir(self._root):  # noqa: PTH208 - names are enough
            if match := _FILE_NAME.fullmatch(name):
                run_id, number = match.groups()
                found[run_id] = max(found.get(run_id, 0), int(number or 0))
            elif (self._root / name / f"{ROOT}.json").is_file():  # of version 0.50
                found.setdefault(name, 0)
        return found

    def key(self, run_id: str) -> str:
        """Return the identity of a run, by the real path of the folder."""
        return f"{os.path.realpath(self._root)} {run_id}"

    def get_summary(self) -> dict[str, str]:
        """Return the type and the location of this store."""
        return {"Type": self.service_name, "Location": str(self._root)}

    # Paths of runs are plain text: they are made several times a run.

    def _segment(self, run_id: str, number: int) -> str:
        return f"{self._root}/{check_run_id(run_id)}.{number:06}.jsonl"

    def _snapshot(self, run_id: str) -> str:
        return f"{self._root}/{check_run_id(run_id)}.json"


def _decoded(line: bytes, run_id: str, segment: str) -> Record | None:
    try:
        return decode(line) if line else None
    except DamagedLineError as error:
        raise RunLogDamagedError(run_id, segment, str(error)) from error


def _appear(draft: str, segment: str) -> None:
    """Give a segment its name, unless there is one of this name.

    One without a single record, such as a failure of power leaves, is replaced.
    """
    try:
        os.link(draft, segment)
    except FileExistsError:
        with unwritten(segment) as descriptor:
            current = os.path.samestat(os.fstat(descriptor), os.stat(segment))  # noqa: PTH116 - a string
            if not current or first_line(segment):
                raise
            os.replace(draft, segment)  # noqa: PTH105 - a string
