"""Queries: what is stored of them and of their results, for 7 days.

User guide, "CloudTrail Lake queries"; API reference, "StartQuery", "DescribeQuery" and "GetQueryResults".
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from cloudlet.core import AwsError, Context, Subspace, Transaction
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudtrail import stretch

Status = Literal["QUEUED", "RUNNING", "FINISHED", "FAILED", "CANCELLED", "TIMED_OUT"]
Delivery = Literal[
    "PENDING",
    "SUCCESS",
    "FAILED",
    "FAILED_SIGNING_FILE",
    "RESOURCE_NOT_FOUND",
    "ACCESS_DENIED",
    "CANCELLED",
    "ACCESS_DENIED_SIGNING_FILE",
]
Row = list[tuple[str, str]]
"""The names and the values of the columns of a result."""

Place = tuple[str, str, str]
"""Account, region and id of a query."""

TOPIC = b"queries"
"""Is told of each new query."""
KEPT_SECONDS = 7 * 86_400
_SWEPT = 20
_MOST_CONCURRENT = 10
_PAGE_BYTES = 1 << 20
"""Of the rows of a page, about."""

_QUERIES = Subspace("query")
"""Account, region, id → Query."""
_PENDING = Subspace("query-pending")
"""Account, region, id of a query that is queued or running → nothing."""
_OF_STORE = Subspace("query-of")
"""Id of a store, when the query was made in milliseconds, id → nothing."""
_MADE = Subspace("query-time")
"""When it was made in whole seconds, account, region, id → nothing."""
_ROWS = Subspace("query-row")
"""Id of a query, index → Row."""


class Query(msgspec.Struct, frozen=True):
    """What is stored of a query. Times are in seconds since the epoch."""

    account: str
    region: str
    id: str
    text: str
    stores: list[str]
    """The ids of the event data stores that it is about."""
    made: float
    status: Status = "QUEUED"
    error: str = ""
    scanned: int = 0
    """Events that were looked through, and `bytes` their size."""
    bytes: int = 0
    matched: int = 0
    """Rows of the result."""
    took: float = 0.0
    delivery_uri: str = ""
    """Where the result is delivered to (s3://bucket/prefix); empty where it is not."""
    delivery: Delivery = "PENDING"

    @property
    def is_active(self) -> bool:
        return self.status in ("QUEUED", "RUNNING")


_encode = msgspec.msgpack.encode
_decode = msgspec.msgpack.Decoder(Query).decode
_decode_row = msgspec.msgpack.Decoder(Row).decode


async def add(tx: Transaction, query: Query) -> None:
    """Keep a new query, to be executed soon. Raises AwsError where the account has too many under way."""
    space = _PENDING.sub(query.account, query.region)
    if len(await tx.range(space.begin, space.end, limit=_MOST_CONCURRENT)) >= _MOST_CONCURRENT:
        raise AwsError(
            "MaxConcurrentQueriesException", f"Your account has {_MOST_CONCURRENT} queries under way.", status=429
        )
    tx.put(_MADE.key(int(query.made), query.account, query.region, query.id), b"")
    for store in query.stores:
        tx.put(_OF_STORE.key(store, int(query.made * 1000), query.id), b"")
    save(tx, query)
    tx.notify(TOPIC)


def save(tx: Transaction, query: Query) -> None:
    """Keep a query as it is now."""
    where = (query.account, query.region, query.id)
    tx.put(_QUERIES.key(*where), _encode(query))
    if query.is_active:
        tx.put(_PENDING.key(*where), b"")
    else:
        tx.delete(_PENDING.key(*where))


async def find(ctx: Context, tx: Transaction, identity: str) -> Query:
    """Return the query of an id. Raises AwsError."""
    raw = await tx.get(_QUERIES.key(ctx.account, ctx.region, identity))
    found = None if raw is None else _decode(raw)
    if found is None or found.made < ctx.now() - KEPT_SECONDS:
        raise AwsError("QueryIdNotFoundException", f"The query was not found: {identity}", status=400)
    return found


async def at(tx: Transaction, place: Place) -> Query | None:
    """Return the query of an account, a region and an id, if it is there."""
    raw = await tx.get(_QUERIES.key(*place))
    return None if raw is None else _decode(raw)


async def again(tx: Transaction, query: Query) -> Query | None:
    """Return a query as it is now, if it is still there."""
    return await at(tx, (query.account, query.region, query.id))


async def last_of(tx: Transaction, store: str) -> str | None:
    """Return the id of the newest query of a store, if there is one."""
    space = _OF_STORE.sub(store)
    rows = await tx.range(space.begin, space.end, limit=1, reverse=True)
    return str(space.unpack(rows[0][0])[1]) if rows else None


async def pending(tx: Transaction, count: int) -> list[Place]:
    """Return which queries are queued or running, of all accounts."""
    return [_PENDING.unpack(key) for key, _ in await tx.range(_PENDING.begin, _PENDING.end, limit=count)]


async def of_store(
    ctx: Context, tx: Transaction, store: str, begin: float, end: float, before: bytes, limit: int
) -> list[tuple[bytes, Query]]:
    """Return queries of a store that were made at begin <= time <= end, the newest first, with their places.

    `before` is the place of the last one of the page before.
    """
    space = _OF_STORE.sub(store)
    low, high = space.key(int(begin * 1000)), space.key(int(end * 1000) + 1)
    if before:
        high = max(low, min(high, before))
    found = []
    for key, _ in await tx.range(low, high, limit=limit, reverse=True):
        raw = await tx.get(_QUERIES.key(ctx.account, ctx.region, space.unpack(key)[1]))
        if raw is not None:
            found.append((key, _decode(raw)))
    return found


def add_rows(tx: Transaction, query: Query, first: int, rows: list[Row]) -> None:
    """Keep rows of a query's result, the first of which is the one of an index."""
    for index, row in enumerate(rows, first):
        tx.put(_ROWS.key(query.id, index), _encode(row))


def clear_rows(tx: Transaction, query: Query) -> None:
    """Forget the result of a query."""
    space = _ROWS.sub(query.id)
    tx.delete_range(space.begin, space.end)


async def rows(tx: Transaction, query: Query, first: int, limit: int) -> list[Row]:
    """Return rows of a result from an index on: as many as are wanted, or as go into an answer."""
    found: list[Row] = []
    size = 0
    begin, end = _ROWS.key(query.id, first), _ROWS.sub(query.id).end
    for _, raw in (await stretch.read(tx, begin, end, limit=limit, most_bytes=_PAGE_BYTES)).rows:
        size += len(raw)
        if found and size > _PAGE_BYTES:
            break
        found.append(_decode_row(raw))
    return found


def statistics(query: Query) -> dict[str, Any]:
    """Return what DescribeQuery tells of what a query did."""
    return {
        "EventsMatched": query.matched,
        "EventsScanned": query.scanned,
        "BytesScanned": query.bytes,
        "ExecutionTimeInMillis": int(query.took * 1000),
        "CreationTime": query.made,
    }


async def forget(block: Block) -> None:
    """Delete queries that are too old, now and then, until the block ends."""

    async def delete(tx: Transaction, key: bytes) -> None:
        await _remove(tx, _QUERIES.key(*_MADE.unpack(key)[1:]))

    await delete_expired(block, _MADE, KEPT_SECONDS, delete, at_once=_SWEPT)


async def _remove(tx: Transaction, key: bytes) -> None:
    raw = await tx.get(key)
    if raw is None:
        return
    query = _decode(raw)
    clear_rows(tx, query)
    for store in query.stores:
        tx.delete(_OF_STORE.key(store, int(query.made * 1000), query.id))
    tx.delete(_PENDING.key(query.account, query.region, query.id))
    tx.delete(key)
