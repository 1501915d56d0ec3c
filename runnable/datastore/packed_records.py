"""The records of a run in memory: packed into bytes, as soon as they are written.

Packed, a value that is changed later does not change its record, a record takes a
quarter of the memory, and the garbage collector has nothing to walk through. Only this
process reads them, so that the fastest way will do.
"""

import marshal
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import JsonValue

from runnable.datastore.codec import KINDS, PLAIN, TYPED, decode, encode
from runnable.graph.shared_json import SharedJson, unpacked
from runnable.journal import Record, RunStarted

_LINE = b"{"
_IN_BLOCK = 256
"""Records that are compressed together."""

Packed = bytes | tuple[bytes, dict[str, bytes]]
"""A packed record; of the first one, descriptions that other runs share are apart."""
_NESTED = ("parameters", "outputs", "files", "code")
_KINDS = tuple(KINDS.values())

_Ways = list[tuple[int, Callable[[Any], object]]]
"""Conversions of fields that hold more than JSON, by position."""


def _positions(kind: type[Record], ways: dict[str, Callable[[Any], object]]) -> _Ways:
    fields = kind._fields
    return [(fields.index(it), ways[it]) for it in _NESTED if it in fields]


_PACKED = {
    kind: (number, _positions(kind, PLAIN)) for number, kind in enumerate(_KINDS)
}
_UNPACKED = [_positions(kind, TYPED) for kind in _KINDS]


def pack(record: Record) -> Packed:
    """Pack a record.

    Args:
        record: Any record.

    Example:
        >>> from runnable.journal import BranchFinished
        >>> record = BranchFinished("now", "p.a", "FAIL")
        >>> unpack(pack(record)) == record
        True
    """
    if type(record) is RunStarted:
        # Descriptions are long, and thousands of runs of a pipeline have the same.
        own: dict[str, JsonValue] = {}
        shared: dict[str, bytes] = {}
        for name, it in record.run_config.items():
            if isinstance(it, SharedJson):
                shared[name] = it.packed
            else:
                own[name] = it
        return _packed(record._replace(run_config=own)), shared
    return _packed(record)


def _packed(record: Record) -> bytes:
    number, ways = _PACKED[type(record)]
    fields: list[object] = [number, *record]
    for position, plain in ways:
        fields[position + 1] = plain(record[position])
    try:
        return marshal.dumps(fields)
    except ValueError:
        return encode(record)  # deeply nested, or of a subclass


def unpack(packed: Packed) -> Record:
    """Reverse `pack`; every call makes new values."""
    if isinstance(packed, tuple):
        rest, shared = packed
        started = _unpacked(rest)
        assert isinstance(started, RunStarted)  # noqa: S101 - see `pack`
        more = {name: unpacked(it) for name, it in shared.items()}
        return started._replace(run_config={**started.run_config, **more})
    return _unpacked(packed)


def _unpacked(packed: bytes) -> Record:
    if packed.startswith(_LINE):
        return decode(packed)
    content: list[Any] = marshal.loads(packed)  # noqa: S302 - made by this process
    number: int = content[0]
    fields = content[1:]
    for position, make in _UNPACKED[number]:
        fields[position] = make(fields[position])
    return _KINDS[number](*fields)


class PackedRecords:
    """Some records, in the order in which they were written.

    Example:
        >>> from runnable.journal import BranchFinished
        >>> records = PackedRecords()
        >>> records.append(BranchFinished("now", "p.a", "FAIL"))
        >>> [record.path for record in records.after(0)]
        ['p.a']
    """

    __slots__ = ("_kept", "_lock")

    def __init__(self) -> None:
        # Of writers: callers that have joined a run may append at once.
        self._lock = threading.Lock()
        # Both are replaced at once, for readers in other threads.
        self._kept: tuple[list[bytes], list[Packed]] = ([], [])
        """Blocks of as many records each, and the latest records."""

    def copy(self) -> "PackedRecords":
        """Return what there is now."""
        made = PackedRecords()
        blocks, latest = self._kept
        made._kept = blocks, latest.copy()
        return made

    def __len__(self) -> int:
        blocks, latest = self._kept
        return _IN_BLOCK * len(blocks) + len(latest)

    def append(self, *records: Record) -> None:
        """Add records; none of them if one cannot be packed."""
        packed = [*map(pack, records)]
        with self._lock:
            blocks, latest = self._kept
            latest += packed
            while len(latest) >= _IN_BLOCK:
                # The records of ten branches differ in little.
                block = zlib.compress(marshal.dumps(latest[:_IN_BLOCK]), 1)
                blocks, latest = [*blocks, block], latest[_IN_BLOCK:]
                self._kept = blocks, latest

    def after(self, number: int) -> Iterator[Record]:
        """Yield the records after a number of them, up to what is the last one now."""
        blocks, latest = self._kept
        skipped = min(number // _IN_BLOCK, len(blocks))
        return _unpacked_after(
            number - skipped * _IN_BLOCK, blocks[skipped:], latest.copy()
        )


def _unpacked_after(
    number: int, blocks: list[bytes], latest: list[Packed]
) -> Iterator[Record]:
    for block in blocks:
        records: list[Packed] = marshal.loads(zlib.decompress(block))  # noqa: S302
        yield from map(unpack, records[number:])
        number = max(0, number - _IN_BLOCK)
    yield from map(unpack, latest[number:])
