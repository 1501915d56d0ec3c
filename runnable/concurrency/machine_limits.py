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
from typing import IO, TypedDict, cast

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
        limits: How many slots there are, by name. Processes that were told different
            numbers each keep to their own.
        folder: Where the processes meet; made if it is not there. It must be on a
            local disk.

    Raises:
        ConfigurationError: If the folder cannot be used.

    Example:
        >>> limiter = MachineLimiter({"gpu": 1}, getfixture("tmp_path"))
        >>> limiter.acquire({"gpu": 1}) is None
        True
        >>> limiter.release({"gpu": 1})
    """

    def __init__(self, limits: Wants, folder: Path) -> None:
        self.limits = limits
        self._folder = folder
        self._mutex = threading.RLock()
        self._futures: dict[str, Future[None]] = {}
        self._thread: threading.Thread | None = None
        self._process = 0
        self._owner = ""
        if not HAS_LOCKS:
            raise ConfigurationError("a limits folder needs a system with `flock`")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self._queue():
                pass
        except OSError as error:
            problem = f"the limits folder {str(folder)!r} cannot be used: {error}"
            raise ConfigurationError(problem) from error

    def part_of(self, wants: Wants) -> Wants:
        """Return what is limited here, of what a caller wants."""
        return {name: it for name, it in wants.items() if name in self.limits}

    def acquire(self, wants: Wants) -> Future[None] | None:
        """Ask for slots; see `Limiter.acquire`."""
        number, slot = uuid.uuid4().hex, Future[None]()
        with self._mutex:
            with self._queue() as entries:
                entries.append(
                    _Entry(
                        owner=self._owner,
                        number=number,
                        wants={**wants},
                        limits={name: self.limits[name] for name in wants},
                        holds=False,
                    )
                )
                _grant(entries)
                if entries[-1]["holds"]:
                    return None
            self._futures[number] = slot
            self._poll_meanwhile()
        return slot

    def release(self, wants: Wants) -> None:
        """Give back slots."""
        with self._mutex, self._queue() as entries:
            for entry in entries:
                mine = entry["owner"] == self._owner and entry["holds"]
                # Who waits in this process may not know yet that it has its slots.
                if mine and entry["wants"] == wants and not self._waits(entry):
                    entries.remove(entry)
                    break
            _grant(entries)
        self._tell(entries)

    def give_up(self, slot: Future[None], wants: Wants) -> None:
        """Stop waiting; slots that were just granted are released."""
        with self._mutex:
            number = next((n for n, it in self._futures.items() if it is slot), None)
            if number is not None:
                del self._futures[number]
                with self._queue() as entries:
                    entries[:] = [it for it in entries if it["number"] != number]
                    _grant(entries)
                self._tell(entries)
        if number is None:
            self.release(wants)

    def _waits(self, entry: _Entry) -> bool:
        return entry["number"] in self._futures

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
        except OSError as error:
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
        with (self._folder / "lock").open("w") as lock:
            _lock(lock)
            self._show_life()
            file = self._folder / "queue"
            before = file.read_text() if file.exists() else "[]"
            entries = [it for it in _parsed(before, file) if self._lives(it["owner"])]
            yield entries
            after = json.dumps(entries)
            if after != before:
                draft = self._folder / "queue.draft"
                draft.write_text(after)
                draft.replace(file)

    def _show_life(self) -> None:
        """Lock a file for as long as this process lives; a forked child has its own."""
        if self._process == os.getpid():
            return
        for left in self._folder.glob("process-*"):
            self._lives(left.name)
        self._process = os.getpid()
        self._owner = f"process-{self._process}-{uuid.uuid4().hex[:8]}"
        file = self._folder / self._owner
        life = file.open("w")
        _lock(life)
        weakref.finalize(self, _end_life, life, file, self._process)

    def _lives(self, owner: str) -> bool:
        if owner == self._owner:
            return True
        file = self._folder / owner
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


def _parsed(text: str, file: Path) -> list[_Entry]:
    try:
        return cast("list[_Entry]", json.loads(text))
    except ValueError as error:
        problem = f"{file} is damaged ({error}); remove it when no process uses it"
        raise OSError(problem) from error
