"""Limits that the processes of one machine share, through the files of a folder.

Theory of operation. `queue` lists what processes hold and what they wait for, in the
order in which they came; whoever reads or changes it locks the file `lock` meanwhile.
Each process holds a lock on a file of its own as long as it lives: what a dead process
has left is removed by the next one that looks. Who waits looks twenty times a second.
"""

import contextlib
import json
import os
import sys
import threading
import time
import uuid
import weakref
from collections import Counter
from collections.abc import Generator
from concurrent.futures import Future
from pathlib import Path
from typing import IO, TypedDict

from runnable.concurrency.queueing import Wants, next_admitted
from runnable.errors import ConfigurationError

if sys.platform == "win32":
    HAS_LOCKS = False

    def _lock(file: IO[str]) -> None:
        del file

    _lock_now = _lock
else:
    import fcntl

    HAS_LOCKS = True

    def _lock(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX)

    def _lock_now(file: IO[str]) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


_POLL_SECONDS = 0.05


def whole_path(folder: str | os.PathLike[str]) -> Path:
    """Return the path of a folder, which a change of the directory does not change."""
    return Path(os.path.abspath(Path(folder).expanduser()))  # noqa: PTH100 - without ..


class _Entry(TypedDict):
    """The slots that one caller holds or waits for."""

    owner: str
    """The name of the file that its process has locked."""
    number: str
    wants: dict[str, int]
    limits: dict[str, int]
    """How many slots of these names there are, as its process was told."""
    holds: bool


class MachineLimiter:
    """Admits a limited number of callers at once, of all processes of a machine.

    Args:
        folder: Where the processes meet; made if it is not there. It must be on a
            local disk.

    Raises:
        ConfigurationError: If the folder cannot be used.

    Example:
        >>> limiter = MachineLimiter(getfixture("tmp_path"))
        >>> ticket = limiter.new_ticket()
        >>> limiter.acquire(ticket, {"gpu": 1}, {"gpu": 1}) is None
        True
        >>> limiter.leave(ticket)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = whole_path(folder)
        self._mutex = threading.RLock()
        self._futures: dict[str, Future[None]] = {}
        self._gone: set[str] = set()
        """Tickets whose entries are to be removed from the queue."""
        self._thread: threading.Thread | None = None
        self._process = 0
        self._owner = ""
        if not HAS_LOCKS:
            raise ConfigurationError("a limits folder needs a system with `flock`")
        try:
            with self._queue():
                pass
        except OSError as error:
            problem = f"the limits folder {str(folder)!r} cannot be used: {error}"
            raise ConfigurationError(problem) from error

    @staticmethod
    def new_ticket() -> str:
        """Return what identifies a caller, before it asks."""
        return uuid.uuid4().hex

    def acquire(self, ticket: str, wants: Wants, limits: Wants) -> Future[None] | None:
        """Ask for slots.

        Args:
            ticket: Of the caller; `leave` needs it, whatever happens meanwhile.
            wants: How many, by name.
            limits: How many there are. Processes that were told different numbers each
                keep to their own.

        Returns:
            None if the caller has them; else a future that is done once it has.
        """
        slot: Future[None] = Future()
        with self._mutex:
            with self._queue() as entries:
                mine = _Entry(
                    owner=self._owner,
                    number=ticket,
                    wants={**wants},
                    limits={name: limits[name] for name in wants},
                    holds=False,
                )
                entries.append(mine)
                _grant(entries)
                if mine["holds"]:
                    return None
                self._futures[ticket] = slot
            self._poll_meanwhile()
        return slot

    def leave(self, ticket: str) -> None:
        """Give back slots, or stop waiting; doing it again does nothing.

        Args:
            ticket: Of the caller.
        """
        with self._mutex:
            self._futures.pop(ticket, None)
            # If the queue cannot be written now, the next one removes the entry.
            self._gone.add(ticket)
            with self._queue() as entries:
                _grant(entries)
        self._tell(entries)

    def _poll_meanwhile(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._poll, name="runnable-limits", daemon=True
            )
            self._thread.start()

    def _poll(self) -> None:
        while True:
            time.sleep(_POLL_SECONDS)
            with self._mutex:
                if not self._futures:
                    self._thread = None
                    return
            self._look_again()

    def _look_again(self) -> None:
        try:
            with self._mutex, self._queue() as entries:
                _grant(entries)
        except Exception as error:  # noqa: BLE001 - those who wait get it
            with self._mutex:
                waiting = [*self._futures.values()]
                self._futures.clear()
            for slot in waiting:
                slot.set_exception(error)
        else:
            self._tell(entries)

    def _tell(self, entries: list[_Entry]) -> None:
        """Let those of this process know who have their slots."""
        with self._mutex:
            granted = [
                slot
                for it in entries
                if it["holds"] and (slot := self._futures.pop(it["number"], None))
            ]
        for slot in granted:
            slot.set_result(None)

    @contextlib.contextmanager
    def _queue(self) -> Generator[list[_Entry]]:
        """Lock the queue for the length of a block; write what has changed in it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("w") as lock:
            _lock(lock)
            self._show_life()
            file = self.folder / "queue"
            before = file.read_bytes() if file.exists() else b"[]"
            entries = _parsed(before, file)
            alive = {it for it in {it["owner"] for it in entries} if self._lives(it)}
            gone = {*self._gone}
            entries = [
                it
                for it in entries
                if it["owner"] in alive and it["number"] not in gone
            ]
            yield entries
            after = json.dumps(entries).encode()
            if after != before:
                draft = self.folder / "queue.draft"
                draft.write_bytes(after)
                draft.replace(file)
            self._gone -= gone

    def _show_life(self) -> None:
        """Lock a file for as long as this process lives; a forked child has its own."""
        if self._process == os.getpid() and (self.folder / self._owner).exists():
            return
        for left in self.folder.glob("process-*"):
            self._lives(left.name)
        self._process = os.getpid()
        self._owner = f"process-{self._process}-{uuid.uuid4().hex[:8]}"
        file = self.folder / self._owner
        life = file.open("w")
        _lock(life)
        weakref.finalize(self, _end_life, life, file, self._process)

    def _lives(self, owner: str) -> bool:
        if owner == self._owner:
            return True
        file = self.folder / owner
        try:
            with file.open() as life:
                _lock_now(life)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        file.unlink(missing_ok=True)
        return False


def _end_life(life: IO[str], file: Path, process: int) -> None:
    life.close()
    if process == os.getpid():  # and not a child that was forked
        file.unlink(missing_ok=True)


def _grant(entries: list[_Entry]) -> None:
    """Mark those of all processes who get their slots now."""
    inside: Counter[str] = Counter()
    for entry in entries:
        if entry["holds"]:
            inside.update(entry["wants"])

    def fits(entry: _Entry, wants: Wants) -> bool:
        limits = entry["limits"]
        return all(inside[name] + it <= limits[name] for name, it in wants.items())

    while True:
        waiting = [(it, it["wants"]) for it in entries if not it["holds"]]
        found = next_admitted(waiting, fits)
        if found is None:
            return
        inside.update(found["wants"])
        found["holds"] = True


def _parsed(content: bytes, file: Path) -> list[_Entry]:
    try:
        return [
            _Entry(
                owner=str(it["owner"]),
                number=str(it["number"]),
                wants=dict(it["wants"]),
                limits=dict(it["limits"]),
                holds=bool(it["holds"]),
            )
            for it in json.loads(content)
        ]
    except (ValueError, TypeError, KeyError) as error:
        problem = f"{file} is damaged ({error}); remove it when no process uses it"
        raise OSError(problem) from error
