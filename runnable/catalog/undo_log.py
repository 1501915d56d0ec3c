"""Backups of replaced files, kept until the attempt that replaced them has ended.

Theory of operation. Before a stored file is replaced, it is copied below
`_objects/_replaced`, by the attempt that replaces it and the hash of the new version.
If the attempt succeeds, the copy is dropped. If it fails, or was cut off, the copy is
restored, unless another attempt has stored a third version meanwhile.
"""

import contextlib
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import BinaryIO, NamedTuple

from runnable.catalog.hashing import is_same


class Keys(NamedTuple):
    """Operations on keys; see `KeyedCatalog`."""

    has: Callable[[str], bool]
    names: Callable[[str], Iterable[str]]
    open: Callable[[str], AbstractContextManager[BinaryIO]]
    copy: Callable[[str, str], None]
    drop: Callable[[str], None]


class UndoLog:
    """Undo log of the files that a run has replaced.

    Args:
        root: The key of the run.
        keys: The operations on keys.
    """

    def __init__(self, root: str, keys: Keys) -> None:
        self._root = root
        self._folder = f"{root}/_objects/_replaced"
        self._keys = keys

    def back_up(self, name: str, attempt: str, digest: str) -> bool:
        """Copy a file that is about to be replaced, if it exists.

        Args:
            name: The name of the file.
            attempt: The attempt that replaces it, as a name of a file.
            digest: The SHA-256 of the new version.

        Returns:
            True if there was a file.
        """
        if not self._keys.has(f"{self._root}/{name}"):
            return False
        copy = f"{self._folder}/{attempt}/{digest}/{name}"
        self._keys.copy(f"{self._root}/{name}", copy)
        return True

    def attempts(self) -> list[str]:
        """List the attempts that have not ended, sorted."""
        return sorted({it.partition("/")[0] for it in self._keys.names(self._folder)})

    def forget(self, attempts: Collection[str]) -> None:
        """Drop the backups of attempts: they have succeeded."""
        for attempt in attempts:
            self._keys.drop(f"{self._folder}/{attempt}")

    def restore(self, attempts: Collection[str]) -> None:
        """Restore the backups of attempts, also those taken from each other's files."""
        waiting = [
            f"{attempt}/{rest}"
            for attempt in attempts
            for rest in self._keys.names(f"{self._folder}/{attempt}")
        ]
        while restored := [it for it in waiting if self._restored(it)]:
            waiting = [it for it in waiting if it not in restored]
        for copy in waiting:
            self._hand_over(copy)
        self.forget(attempts)

    def _hand_over(self, copy: str) -> None:
        """Give a backup to the later attempt that replaced this file, and is open."""
        attempt, digest, name = copy.split("/", 2)
        for other in tuple(self._keys.names(self._folder)):
            later, _, other_name = other.split("/", 2)
            key = f"{self._folder}/{other}"
            if other_name == name and later != attempt and self._is(key, digest):
                self._keys.copy(f"{self._folder}/{copy}", key)

    def _restored(self, copy: str) -> bool:
        _, digest, name = copy.split("/", 2)
        key = f"{self._root}/{name}"
        same = self._is(key, digest)
        if same:
            self._keys.copy(f"{self._folder}/{copy}", key)
        return same

    def _is(self, key: str, digest: str) -> bool:
        """Return True if the bytes of a key, if any, have a hash."""
        with contextlib.suppress(FileNotFoundError), self._keys.open(key) as file:
            return is_same(file, digest, None)
        return False
