"""Descriptions that many runs have in common: packed once, for all of them."""

import json
import marshal
from collections.abc import Mapping

from pydantic import JsonValue


class SharedJson(dict[str, JsonValue]):
    """A JSON object that many records refer to; nobody changes it.

    Example:
        >>> shared = SharedJson({"name": "fit"})
        >>> mine = shared.own_copy()
        >>> mine == shared, mine is shared
        (True, False)
    """

    __slots__ = ("_packed",)

    def __init__(self, content: Mapping[str, JsonValue]) -> None:
        super().__init__(content)
        self._packed = b""

    @property
    def packed(self) -> bytes:
        """The object as bytes, which `unpacked` reverses."""
        if not self._packed:
            # Through JSON: those inside, such as of a branch, are of this class, too.
            self._packed = marshal.dumps(json.loads(json.dumps(self)))
        return self._packed

    def own_copy(self) -> dict[str, JsonValue]:
        """Return a copy that the caller may change."""
        return unpacked(self.packed)


def unpacked(packed: bytes) -> dict[str, JsonValue]:
    """Return a new object, made of its bytes."""
    content: dict[str, JsonValue] = marshal.loads(packed)  # noqa: S302 - of this process
    return content
