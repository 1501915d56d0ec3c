"""What files have replaced, until the attempt that put them has ended.

Theory of operation. Before a kept file is replaced by another one, it is copied below
`_objects/_replaced`, by the attempt that replaces it and the hash of what comes in its
place. If the attempt succeeds, the copy is dropped. If it fails, or was cut off, the
copy goes back, unless somebody else has put a third version meanwhile.
"""

import contextlib
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager
from typing import BinaryIO, NamedTuple

from runnable.catalog.hashing import is_same


class Keys(NamedTuple):
    """What is done to keys; see `KeepingCatalog`."""

    has: Callable[[str], bool]
    names: Callable[[str], Iterable[str]]
    open: Callable[[str], AbstractContextManager[BinaryIO]]
    copy: Callable[[str, str], None]
    drop: Callable[[str], None]


class Replaced:
    """What files of a run have replaced.

    Args:
        root: The key of the run.
        keys: What is done to keys.
    """

    def __init__(self, root: str, keys: Keys) -> None:
        self._root = root
        self._folder = f"{root}/_objects/_replaced"
        self._keys = keys

    def keep(self, name: str, attempt: str, digest: str) -> bool:
        """Keep what is about to be replaced, if there is anything.

        Args:
            name: The name of the file.
            attempt: Who replaces it, as a name of a file.
            digest: The SHA-256 of what comes in its place.
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
        """Drop what these have replaced: they have succeeded."""
        for attempt in attempts:
            self._keys.drop(f"{self._folder}/{attempt}")

    def bring_back(self, attempts: Collection[str]) -> None:
        """Bring back what these have replaced, also what they took from each other."""
        waiting = [
            f"{attempt}/{rest}"
            for attempt in attempts
            for rest in self._keys.names(f"{self._folder}/{attempt}")
        ]
        while back := [it for it in waiting if self._brought_back(it)]:
            waiting = [it for it in waiting if it not in back]
        for copy in waiting:
            self._hand_on(copy)
        self.forget(attempts)

    def _hand_on(self, copy: str) -> None:
        """Give a copy to who has replaced what came in its place, and may fail yet."""
        attempt, digest, name = copy.split("/", 2)
        for other in tuple(self._keys.names(self._folder)):
            who, _, of = other.split("/", 2)
            key = f"{self._folder}/{other}"
            if of == name and who != attempt and self._is(key, digest):
                self._keys.copy(f"{self._folder}/{copy}", key)

    def _brought_back(self, copy: str) -> bool:
        _, digest, name = copy.split("/", 2)
        key = f"{self._root}/{name}"
        same = self._is(key, digest)
        if same:
            self._keys.copy(f"{self._folder}/{copy}", key)
        return same

    def _is(self, key: str, digest: str) -> bool:
        """Tell whether what is kept under a key, if anything, has a hash."""
        with contextlib.suppress(FileNotFoundError), self._keys.open(key) as file:
            return is_same(file, digest, None)
        return False
