"""Log streams, by their names and by their last events."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cloudlet.core import Subspace, Transaction
from cloudlet.services.logs import errors, stream_record
from cloudlet.services.logs.group_record import Group
from cloudlet.services.logs.stream_record import Stream

_STREAMS: Final = Subspace("stream")
_NAMES: Final = Subspace("stream-name")
_RECENT: Final = Subspace("recent")
_CACHED_KEYS: Final = 4096


@lru_cache(_CACHED_KEYS)
def _key(group: int, name: str) -> bytes:
    return _STREAMS.key(group, name)


async def find(tx: Transaction, group: Group, name: str) -> Stream | None:
    """Return a stream of a group."""
    raw = await tx.get(_key(group.id, name))
    return None if raw is None else stream_record.decode(raw)


async def named(tx: Transaction, group: Group, name: str) -> Stream:
    """Return a stream of a group. Raises AwsError."""
    stream = await find(tx, group, name)
    if stream is None:
        raise errors.no_stream()
    return stream


async def name_of(tx: Transaction, group: int, stream: int) -> str | None:
    """Return the name of the stream that has a number."""
    raw = await tx.get(_NAMES.key(group, stream))
    return None if raw is None else raw.decode()


def create(tx: Transaction, group: Group, stream: Stream) -> None:
    """Store a new stream."""
    tx.put(_NAMES.key(group.id, stream.id), stream.name.encode())
    tx.put(_RECENT.key(group.id, 0, stream.name), b"")
    _save(tx, group, stream)


def note(tx: Transaction, group: Group, stream: Stream, first: int, last: int, now: int) -> None:
    """Store a stream into which events have been put, from the first timestamp to the last."""
    if stream.last is None or last > stream.last:
        tx.delete(_RECENT.key(group.id, stream.last or 0, stream.name))
        tx.put(_RECENT.key(group.id, last, stream.name), b"")
        stream.last = last
    stream.first = first if stream.first is None else min(first, stream.first)
    stream.ingested = now
    _save(tx, group, stream)


def _save(tx: Transaction, group: Group, stream: Stream) -> None:
    tx.put(_key(group.id, stream.name), stream_record.encode(stream))


def remove(tx: Transaction, group: Group, stream: Stream) -> None:
    """Remove the rows of a stream, but those of its events."""
    tx.delete(_STREAMS.key(group.id, stream.name))
    tx.delete(_NAMES.key(group.id, stream.id))
    tx.delete(_RECENT.key(group.id, stream.last or 0, stream.name))


def remove_all(tx: Transaction, group: Group) -> None:
    """Remove the rows of all streams of a group, but those of their events."""
    for space in (_STREAMS.sub(group.id), _NAMES.sub(group.id), _RECENT.sub(group.id)):
        tx.delete_range(space.begin, space.end)


async def page(
    tx: Transaction, group: Group, prefix: str, after: bytes, count: int, *, descending: bool = False
) -> list[tuple[bytes, Stream]]:
    """Return streams in the order of their names, each with its place: those with a prefix, after a place."""
    space = _STREAMS.sub(group.id)
    # All names that begin with a prefix lie between its key without the end of the text, and that with 0xff after it.
    low = space.key(prefix)[:-1]
    rows = await _between(tx, low, low + b"\xff", after, count, descending=descending)
    return [(key, stream_record.decode(raw)) for key, raw in rows]


def place_of(group: Group, name: str) -> bytes:
    """Return the place of a stream in the order of names."""
    return _STREAMS.key(group.id, name)


async def recent_page(
    tx: Transaction, group: Group, after: bytes, count: int, *, descending: bool
) -> list[tuple[bytes, Stream]]:
    """Return streams in the order of the timestamps of their last events, each with its place; after a place."""
    space = _RECENT.sub(group.id)
    rows = await _between(tx, space.begin, space.end, after, count, descending=descending)
    return [(key, await named(tx, group, space.unpack(key)[1])) for key, _ in rows]


async def _between(
    tx: Transaction, low: bytes, high: bytes, after: bytes, count: int, *, descending: bool
) -> list[tuple[bytes, bytes]]:
    if after and not low <= after < high:
        raise errors.invalid_token()
    if after and descending:
        high = after
    elif after:
        low = after + b"\x00"
    return await tx.range(low, high, limit=count, reverse=descending)
