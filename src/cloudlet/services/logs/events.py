"""Where log events are: in rows of up to some thousand, each with events of one second.

A row is stored under its group, the timestamp of its first event, its stream and its number in that; a second row
under the stream leads to it. Since all events of a row are of one second, readers go through seconds, and sort
what they find in one.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final, NamedTuple

from cloudlet.core import Subspace, Transaction
from cloudlet.services.logs import group as groups
from cloudlet.services.logs import row_record
from cloudlet.services.logs.encryption import OpenKey
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.row_record import Row, StoredRow
from cloudlet.services.logs.stream_record import Stream
from cloudlet.store import Store
from cloudlet.store.tuple_keys import pack_int

SECOND: Final = 1000
_ROWS: Final = Subspace("events")
_OF_STREAM: Final = Subspace("stream-events")
_ORPHANS: Final = Subspace("orphan")
_AT_ONCE: Final = 100
STEPS: Final = 50
"""Of what is removed of each stream and log group at once: others do not wait for all of what has much."""
_INDEX_BITS: Final = 16
_NUMBER_BITS: Final = 48
_STREAM_BITS: Final = 48
_ID_DIGITS: Final = 56


class Position(NamedTuple):
    """Where an event is among those of its group: the order in which events are shown."""

    timestamp: int
    stream: int
    row: int
    nth: int
    """Which one of its row."""

    @property
    def id(self) -> str:
        """The event's id: 56 digits, which sort as positions do."""
        number = self.timestamp
        for part, bits in zip(self[1:], (_STREAM_BITS, _NUMBER_BITS, _INDEX_BITS), strict=True):
            number = (number << bits) | part
        return f"{number:0{_ID_DIGITS}d}"


def position_of(event_id: str) -> Position:
    """Return the position that an id means. Raises ValueError."""
    if len(event_id) != _ID_DIGITS or not event_id.isdecimal() or not event_id.isascii():
        raise ValueError(f"not the id of an event: {event_id!r}")
    number = int(event_id)
    parts = []
    for bits in (_INDEX_BITS, _NUMBER_BITS, _STREAM_BITS):
        parts.append(number & ((1 << bits) - 1))
        number >>= bits
    if number >= 1 << 63:
        raise ValueError(f"not the id of an event: {event_id!r}")
    return Position(number, *reversed(parts))


class Batch:
    """Events that come together, in the order of their timestamps (ms since the epoch)."""

    __slots__ = ("messages", "timestamps")

    def __init__(self, timestamps: list[int], messages: list[str]) -> None:
        self.timestamps = timestamps
        self.messages = messages


class Place(NamedTuple):
    """Where a row is."""

    first: int
    """The timestamp of its first event."""
    stream: int
    number: int

    @property
    def lowest(self) -> Position:
        """That of its first event."""
        return Position(self.first, self.stream, self.number, 0)


def put(
    tx: Transaction, group: Group, stream: Stream, given: Batch, now: int, key: OpenKey | None = None
) -> list[Place]:
    """Store events, encrypted where there is a key, and return where. The caller saves the stream then."""
    places = []
    for some in _by_second(given):
        place = Place(some.timestamps[0], stream.id, stream.batches)
        stream.batches += 1
        row, of_stream = _keys(group.id, place)
        made = Row(now, some.timestamps, some.messages)
        tx.put(row, row_record.encode(made if key is None else key.seal(made)))
        tx.put(of_stream, b"")
        places.append(place)
    return places


def _by_second(given: Batch) -> Iterator[Batch]:
    timestamps, messages = given.timestamps, given.messages
    if timestamps[0] // SECOND == timestamps[-1] // SECOND:
        yield given
        return
    begin = 0
    while begin < len(timestamps):
        end = bisect_left(timestamps, (timestamps[begin] // SECOND + 1) * SECOND, begin)
        yield Batch(timestamps[begin:end], messages[begin:end])
        begin = end


def _keys(group: int, place: Place) -> tuple[bytes, bytes]:
    """Return the key of a row, and of the one under its stream that leads to it: both of the same four numbers."""
    of_group, first, stream, number = pack_int(group), *map(pack_int, place)
    return (
        _ROWS.prefix + of_group + first + stream + number,
        _OF_STREAM.prefix + of_group + stream + first + number,
    )


async def _at(tx: Transaction, group: int, place: Place) -> bytes | None:
    """Return a row as it is stored."""
    return await tx.get(_keys(group, place)[0])


def bounds(group: int, stream: int | None, first: int, last: int) -> tuple[bytes, bytes]:
    """Return between which keys rows are of a group, or of one stream, with events of some time (ms, inclusive)."""
    space = _ROWS.sub(group) if stream is None else _OF_STREAM.sub(group, stream)
    return space.key(first // SECOND * SECOND), space.key(last + 1)


async def between(
    tx: Transaction, group: int, stream: int | None, low: bytes, high: bytes, count: int, *, reverse: bool
) -> list[tuple[bytes, Place, bytes]]:
    """Return rows between two keys, each with its own key and place."""
    found = await tx.range(low, high, limit=count, reverse=reverse)
    if stream is None:
        space = _ROWS.sub(group)
        return [(key, Place(*space.unpack(key)), value) for key, value in found]
    space = _OF_STREAM.sub(group, stream)
    result = []
    for key, _ in found:
        first, number = space.unpack(key)
        place = Place(first, stream, number)
        value = await _at(tx, group, place)
        if value is not None:
            result.append((key, place, value))
    return result


async def of_place(tx: Transaction, group: int, place: Place) -> StoredRow | None:
    """Return a row; None where it is gone."""
    raw = await _at(tx, group, place)
    return None if raw is None else row_record.decode(raw)


async def holding(tx: Transaction, group: int, position: Position) -> StoredRow | None:
    """Return the row that has an event; None where it is gone."""
    space = _OF_STREAM.sub(group, position.stream)
    low, high = bounds(group, position.stream, position.timestamp, position.timestamp)
    while found := await tx.range(low, high, limit=_AT_ONCE):
        for key, _ in found:
            first, number = space.unpack(key)
            if number == position.row:
                return await of_place(tx, group, Place(first, position.stream, number))
        low = found[-1][0] + b"\x00"
    return None


def remove_all(tx: Transaction, group: int) -> None:
    """Remove all events of a group."""
    for space in (_ROWS.sub(group), _OF_STREAM.sub(group), _ORPHANS.sub(group)):
        tx.delete_range(space.begin, space.end)


async def expire(tx: Transaction, group: Group, horizon: int) -> bool:
    """Remove rows with events of before a time (ms), some at a time; return whether there may be more."""
    space = _ROWS.sub(group.id)
    end = space.key(horizon // SECOND * SECOND)
    found = await tx.range(space.begin, end, limit=_AT_ONCE)
    _remove(tx, group.id, [(Place(*space.unpack(key)), value) for key, value in found])
    if found and len(found) < _AT_ONCE:
        # All of it is gone: the disk has its room back sooner for a range that is cleared.
        tx.delete_range(space.begin, end)
    return len(found) == _AT_ONCE


def _remove(tx: Transaction, group: int, found: list[tuple[Place, bytes]]) -> None:
    for place, value in found:
        for key in _keys(group, place):
            tx.delete(key)
        groups.add_bytes(tx, group, -row_record.decode(value).size)


# -- what deleted streams leave


def orphan(tx: Transaction, group: int, stream: int) -> None:
    """Note that the events of a stream are to be removed."""
    tx.put(_ORPHANS.key(group, stream), b"")


async def orphans(tx: Transaction, after: tuple[int, int] | None, count: int) -> list[tuple[int, int]]:
    """Return streams that are gone while their events are still there, behind another one: their groups and themselves.

    Both are numbers.
    """
    begin = _ORPHANS.begin if after is None else _ORPHANS.key(*after) + b"\x00"
    return [_ORPHANS.unpack(key) for key, _ in await tx.range(begin, _ORPHANS.end, limit=count)]


async def clear_orphan(store: Store, group: int, stream: int, steps: int) -> bool:
    """Remove events of a stream that is gone, some in each of so many transactions; return whether that were all."""
    low, high = bounds(group, stream, 0, 1 << 62)

    async def some(tx: Transaction) -> bool:
        found = await between(tx, group, stream, low, high, _AT_ONCE, reverse=False)
        _remove(tx, group, [(place, value) for _, place, value in found])
        if len(found) < _AT_ONCE:
            tx.delete_range(low, high)
            tx.delete(_ORPHANS.key(group, stream))
        return len(found) < _AT_ONCE

    for _ in range(steps):
        if await store.transact(some):
            return True
        await asyncio.sleep(0)
    return False
