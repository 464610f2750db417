"""Queries and what they have found, as they are stored: for seven days."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.logs.insights.times import Asked
from cloudlet.store import pack

REST_MILLIS = 999
"""Of the last second of a query's time, behind its begin."""
KEPT_MILLIS = 7 * 86_400_000
SCHEDULED, RUNNING, COMPLETE = "Scheduled", "Running", "Complete"
FAILED, CANCELLED, TIMEOUT = "Failed", "Cancelled", "Timeout"
_QUERIES, _RECENT, _RESULTS = Subspace("query"), Subspace("query-recent"), Subspace("query-result")
_ACTIVE, _WAITING, _KEPT = Subspace("query-active"), Subspace("query-waiting"), Subspace("query-kept")
TOPIC = _WAITING.prefix
"""Notified when there is a query to run."""
_PAGE = 500


class Searched(msgspec.Struct, array_like=True):
    """A log group that a query is about."""

    id: int
    name: str


class Query(msgspec.Struct, array_like=True):
    """A query. Times are in milliseconds since the epoch."""

    id: str
    account: str
    region: str
    text: str
    groups: list[Searched]
    start: int
    """The first time that events are looked at of, and the last."""
    end: int
    limit: int | None
    created: int
    caller: str
    """The ARN of who has asked."""
    status: str = SCHEDULED
    ended: int | None = None
    scanned: int = 0
    """Events that were looked at, the bytes of their messages, and events that matched."""
    bytes: int = 0
    matched: int = 0
    names: list[str] = []
    """Of the fields that were found."""
    found: int = 0
    """How many records were."""
    sides: list[list[Searched]] = []
    """The log groups of each query within it, and of the right side of a join."""

    @property
    def is_active(self) -> bool:
        return self.status in (SCHEDULED, RUNNING)

    @property
    def all_groups(self) -> set[int]:
        """The numbers of all log groups that it is about."""
        return {one.id for some in (self.groups, *self.sides) for one in some}

    @property
    def asked(self) -> Asked:
        return Asked(self.created // 1000, self.start, self.end - REST_MILLIS)

    @property
    def place(self) -> Place:
        return Place(self.created, self.account, self.region, self.id)


class Place(NamedTuple):
    """Where a query is."""

    created: int
    account: str
    region: str
    id: str


class Record(msgspec.Struct, array_like=True):
    """Something that was found: the values of its fields, and its pointer, if it is an event."""

    values: list[str | None]
    pointer: str | None


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Query).decode
_decode_records = msgspec.msgpack.Decoder(list[Record]).decode


def topic(id: str) -> bytes:
    """Return what is notified when a query is stopped."""
    return pack(("query-stopped", id))


def create(tx: Transaction, query: Query) -> None:
    """Store a query, and have it run."""
    save(tx, query)
    tx.put(_RECENT.key(query.account, query.region, query.created, query.id), b"")
    tx.put(_ACTIVE.key(query.account, query.region, query.id), b"")
    tx.put(_WAITING.key(*query.place), b"")
    tx.put(_KEPT.key(*query.place), b"")
    tx.notify(TOPIC)


def save(tx: Transaction, query: Query) -> None:
    """Store what has become of a query."""
    tx.put(_QUERIES.key(query.account, query.region, query.id), _encode(query))


def end(tx: Transaction, query: Query, status: str, now: int) -> None:
    """Store that a query has ended. What it had found by then stays only where it is complete."""
    query.status, query.ended = status, now
    save(tx, query)
    if status != COMPLETE:
        remove_records(tx, query)
    tx.delete(_ACTIVE.key(query.account, query.region, query.id))
    tx.delete(_WAITING.key(*query.place))
    if status == CANCELLED:
        tx.notify(topic(query.id))


async def find(tx: Transaction, account: str, region: str, id: str, now: int) -> Query | None:
    """Return a query."""
    raw = await tx.get(_QUERIES.key(account, region, id))
    query = None if raw is None else _decode(raw)
    return query if query is not None and query.created > now - KEPT_MILLIS else None


async def active(tx: Transaction, account: str, region: str, most: int) -> int:
    """Return how many queries of an account wait or run, up to so many."""
    space = _ACTIVE.sub(account, region)
    return len(await tx.range(space.begin, space.end, limit=most))


async def waiting(tx: Transaction, after: Place | None, count: int) -> list[Place]:
    """Return the first queries that wait or run behind another one, of all accounts."""
    begin = _WAITING.begin if after is None else _WAITING.key(*after) + b"\x00"
    rows = await tx.range(begin, _WAITING.end, limit=count)
    return [Place(*_WAITING.unpack(key)) for key, _ in rows]


async def recent(tx: Transaction, account: str, region: str, before: bytes, now: int) -> list[tuple[bytes, Query]]:
    """Return queries, the newest first, each with its place; those of before a place."""
    space = _RECENT.sub(account, region)
    rows = await tx.range(space.key(now - KEPT_MILLIS + 1), before or space.end, limit=_PAGE, reverse=True)
    found = []
    for key, _ in rows:
        _, id = space.unpack(key)
        query = await find(tx, account, region, id, now)
        if query is not None:
            found.append((key, query))
    return found


def is_place(key: bytes, account: str, region: str) -> bool:
    """Whether it may be a place of `recent`."""
    space = _RECENT.sub(account, region)
    return space.begin <= key < space.end


# -- what was found


def put_records(tx: Transaction, query: Query, first: int, records: Sequence[Record]) -> None:
    """Store records, of which the first has a number."""
    tx.put(_RESULTS.key(query.account, query.region, query.id, first), _encode(list(records)))


def remove_records(tx: Transaction, query: Query) -> None:
    space = _RESULTS.sub(query.account, query.region, query.id)
    tx.delete_range(space.begin, space.end)


class Piece(NamedTuple):
    """Records as they are stored together, and the number of the first one."""

    first: int
    raw: bytes


async def pieces(tx: Transaction, query: Query, first: int, count: int, most_bytes: int) -> list[Piece]:
    """Return pieces with records from a number on, so many and about so many bytes at most, but one at least."""
    space = _RESULTS.sub(query.account, query.region, query.id)
    # The number is within the last piece that begins at it or before.
    begun = await tx.range(space.begin, space.key(first + 1), limit=1, reverse=True)
    key, end = begun[0][0] if begun else space.begin, space.key(first + count)
    found: list[Piece] = []
    size = 0
    while size < most_bytes and (rows := await tx.range(key, end, limit=1)):
        key, raw = rows[0]
        found.append(Piece(space.unpack(key)[0], raw))
        size += len(raw)
        key += b"\x00"
    return found


def records_in(some: Sequence[Piece], first: int, count: int) -> list[Record]:
    """Return the records of pieces from a number on, so many at most."""
    found: list[Record] = []
    for piece in some:
        found += _decode_records(piece.raw)[max(first - piece.first, 0) :]
    return found[:count]


async def records(tx: Transaction, query: Query, first: int, count: int, most_bytes: int) -> list[Record]:
    """Return records from a number on, so many and about so many bytes at most, but one at least."""
    return records_in(await pieces(tx, query, first, count, most_bytes), first, count)


async def forget(tx: Transaction, now: int, count: int) -> bool:
    """Remove some of the queries that are too old; return whether there may be more."""
    rows = await tx.range(_KEPT.begin, _KEPT.key(now - KEPT_MILLIS + 1), limit=count)
    for key, _ in rows:
        created, account, region, id = _KEPT.unpack(key)
        tx.delete(key)
        tx.delete(_WAITING.key(created, account, region, id))
        tx.delete(_ACTIVE.key(account, region, id))
        tx.delete(_RECENT.key(account, region, created, id))
        tx.delete(_QUERIES.key(account, region, id))
        space = _RESULTS.sub(account, region, id)
        tx.delete_range(space.begin, space.end)
    return len(rows) == count
