"""The records of a run in memory: packed into bytes, as soon as they are written.

Packed, a value that is changed later does not change its record, a record takes a
quarter of the memory, and the garbage collector has nothing to walk through. Only this
process reads them, so that the fastest way will do.
"""

import marshal
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from runnable.datastore.codec import KINDS, PLAIN, TYPED, decode, encode
from runnable.journal import Record, RunStarted

_COMPRESSED = b"\x00"
_LINE = b"{"
_NESTED = ("parameters", "outputs", "files", "code")


class _Plan(NamedTuple):
    """How records of one kind are packed."""

    number: int
    plain: tuple[tuple[int, Callable[[Any], object]], ...]
    """How fields that hold more than JSON become JSON, by position."""
    typed: tuple[tuple[int, Callable[[Any], object]], ...]
    """The reverse."""


def _positions(
    kind: type[Record], ways: dict[str, Callable[[Any], object]]
) -> tuple[tuple[int, Callable[[Any], object]], ...]:
    fields = kind._fields
    return tuple((fields.index(it), ways[it]) for it in _NESTED if it in fields)


_KINDS = tuple(KINDS.values())
_PLANS = {
    kind: _Plan(number, _positions(kind, PLAIN), _positions(kind, TYPED))
    for number, kind in enumerate(_KINDS)
}


def pack(record: Record) -> bytes:
    """Turn a record into bytes.

    Args:
        record: Any record.

    Example:
        >>> from runnable.journal import BranchFinished
        >>> record = BranchFinished("now", "p.a", "FAIL")
        >>> unpack(pack(record)) == record
        True
    """
    if type(record) is RunStarted:
        # Descriptions of runs are long and repetitive.
        return _COMPRESSED + zlib.compress(encode(record), 1)
    plan = _PLANS[type(record)]
    fields = [plan.number, *record]
    for position, plain in plan.plain:
        fields[position + 1] = plain(record[position])
    try:
        return marshal.dumps(fields)
    except ValueError:
        return encode(record)  # deeply nested, or of a subclass


def unpack(packed: bytes) -> Record:
    """Reverse `pack`; every call makes new values."""
    if packed.startswith(_COMPRESSED):
        packed = zlib.decompress(packed[1:])
    if packed.startswith(_LINE):
        return decode(packed)
    number, *fields = marshal.loads(packed)  # noqa: S302 - made by this process
    kind = _KINDS[number]
    for position, make in _PLANS[kind].typed:
        fields[position] = make(fields[position])
    record: Record = kind(*fields)
    return record


class PackedRecords:
    """Some records, in the order in which they were written.

    Example:
        >>> from runnable.journal import BranchFinished
        >>> records = PackedRecords()
        >>> records.append(BranchFinished("now", "p.a", "FAIL"))
        >>> [record.path for record in records.after(0)]
        ['p.a']
    """

    __slots__ = ("_packed",)

    def __init__(self) -> None:
        self._packed: list[bytes] = []

    def copy(self) -> "PackedRecords":
        """Return what there is now."""
        made = PackedRecords()
        made._packed = self._packed.copy()
        return made

    def __len__(self) -> int:
        return len(self._packed)

    def append(self, *records: Record) -> None:
        """Add records; none of them if one cannot be packed."""
        self._packed += [*map(pack, records)]

    def after(self, number: int) -> Iterator[Record]:
        """Yield the records after a number of them, up to what is the last one now."""
        return map(unpack, self._packed[number:])
