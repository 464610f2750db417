"""Query and Scan: pages of items of a table or an index, up to 1 MB each.

A page is read in several transactions, so that a large one does not hold up others; each reads a stretch of rows, and
sees all writes that were answered before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.dynamodb import access, capacity, clauses, directory, errors, items, keys
from cloudlet.services.dynamodb.capacity import Consumed
from cloudlet.services.dynamodb.clauses import Clauses
from cloudlet.services.dynamodb.key_checks import invalid_start, start_key
from cloudlet.services.dynamodb.table import CREATING, ON_DEMAND, Index, Table
from cloudlet.services.dynamodb.throttling import throttle
from cloudlet.services.dynamodb.values import Item
from cloudlet.store.interface import Row

PAGE_BYTES = 1 << 20
_FIRST_ROWS = 32
_MOST_ROWS = 256
_ON_DEMAND_PARTITIONS = 4
"""The partitions that a new table on demand has (Developer Guide, "Initial throughput for on-demand mode")."""


@dataclass(slots=True)
class Place:
    """What is read: a range of keys of a table or an index."""

    table: Table
    index: Index | None
    begin: bytes
    end: bytes
    backwards: bool = False

    @property
    def prefix(self) -> bytes:
        """What all keys begin with; `begin` and `end` are complete."""
        return self.table.items_prefix if self.index is None else self.index.rows.prefix

    def go_on_behind(self, key: bytes) -> None:
        """Leave out everything up to a key."""
        if self.backwards:
            self.end = min(self.end, key)
        else:
            self.begin = max(self.begin, key + b"\x00")


@dataclass(slots=True)
class Page:
    """What has been read so far."""

    found: list[Any] = field(default_factory=list)
    matched: int = 0
    scanned: int = 0
    size: int = 0
    last: bytes = b""
    """The key, below the table or the index, of the last row that was looked at."""
    last_row: bytes | None = None
    """That row, if there may be more behind it."""
    fetched: float = 0
    """Read units spent on fetching items that a local index does not show all of."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one transaction has read: rows, what is shown of each, and whether there are no more."""

    place: Place
    rows: list[Row]
    shown: list[bytes]
    is_last: bool


class Reading:
    """A Query or a Scan under way."""

    def __init__(
        self,
        ctx: Context,
        operation: str,
        params: Params,
        asked: Clauses | None = None,
        permission: str | None = None,
    ) -> None:
        """`asked` are clauses that do not come from parameters, and may filter by anything.

        `permission` is the action of IAM that it takes, where that is not the operation. Raises AwsError.
        """
        self.ctx = ctx
        self.operation = operation
        self.params = params
        self.clauses: Clauses = clauses.read(operation, params) if asked is None else asked
        self._filters_keys = asked is not None
        self._permission = permission or operation
        _check_select(params, operation)
        self.consistent: bool = params.get("ConsistentRead", False)
        self.counts_only = params.get("Select") == "COUNT"
        self.limit: int | None = params.get("Limit")
        self.place: Place | None = None
        self.page = Page()
        self.fetches = False
        """Whether items are fetched from the table, since a local index does not show enough of them."""
        self._rows = _FIRST_ROWS

    async def step(self, tx: Transaction) -> Stretch:
        """Read some more, as far as it is not known yet what lies there. Raises AwsError.

        It changes nothing about the reading: a transaction that conflicts is run again.
        """
        table = await directory.for_items(self.ctx, tx, self.params["TableName"])
        access.authorize(self.ctx, table, self._permission)
        place = self.place
        if place is None:
            place = self._open(table)
            if throttle is not None:
                throttle.admit(table, "Read", self.ctx.now(), place.index)
        elif place.table.record.id != table.record.id:
            raise errors.no_such_table()
        begin, end = place.begin, place.end
        if self.page.last:
            at = place.prefix + self.page.last
            begin, end = (begin, at) if place.backwards else (at + b"\x00", end)
        wanted = self._rows if self.limit is None else min(self._rows, self.limit - self.page.scanned)
        rows = await tx.range(begin, end, limit=wanted, reverse=place.backwards)
        shown = [await self._fetch(tx, table, row) for _, row in rows] if self.fetches else [row for _, row in rows]
        return Stretch(place, rows, shown, len(rows) < wanted)

    def take(self, stretch: Stretch) -> bool:
        """Take in what a step has read; return whether the page is complete."""
        place, page = stretch.place, self.page
        self.place = place
        at = len(place.prefix)
        condition, projection = self.clauses.filter, self.clauses.projection
        for (key, row), shown in zip(stretch.rows, stretch.shown, strict=True):
            page.scanned += 1
            page.size += items.size_of(row)
            page.last = key[at:]
            if self.fetches:
                page.fetched += capacity.read_units(items.size_of(shown), self.consistent)
            item = None if condition is None else items.item_of(shown)
            if condition is None or condition.matches(item or {}):
                page.matched += 1
                if not self.counts_only:
                    page.found.append(self._answer(shown, item, projection))
            if page.size > PAGE_BYTES or page.scanned == self.limit:
                page.last_row = row
                return True
        average = max(1, page.size // max(1, page.scanned))
        self._rows = max(8, min(_MOST_ROWS, (PAGE_BYTES - page.size) // average + 1))
        return stretch.is_last

    def _answer(self, row: bytes, item: Item | None, projection: Any) -> Any:
        if projection is None:
            return items.shown(self.ctx, row)
        return projection.of(items.item_of(row) if item is None else item)

    async def _fetch(self, tx: Transaction, table: Table, row: bytes) -> bytes:
        """Return the item of the table that a row of a local index shows a part of."""
        raw = await tx.get(table.items_prefix + table.key(items.item_of(row)))
        if raw is None:
            raise RuntimeError(f"a row of an index of {table.arn} has no item")
        return raw

    # -- what is to be read

    def _open(self, table: Table) -> Place:
        """Return what is to be read of a table. Raises AwsError for a request that does not go with it."""
        index = self._index(table)
        schema = table.keys if index is None else index.keys
        self.fetches = self._check_projected(table, index)
        place = self._scanned(table, index) if self.operation == "Scan" else self._queried(table, index)
        given = self.params.get("ExclusiveStartKey")
        if given is not None:
            start = start_key(table, index, given)
            key = schema.key(start)
            if index is not None:
                key += keys.behind_index_key(table.key(start))
            at = place.prefix + key
            self._check_start(place, at)
            place.go_on_behind(at)
        return place

    def _index(self, table: Table) -> Index | None:
        name = self.params.get("IndexName")
        if name is None:
            if self.params.get("Select") == "ALL_PROJECTED_ATTRIBUTES":
                raise errors.validation("ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName")
            return None
        index = table.indexes.get(name)
        if index is None:
            raise errors.validation(f"The table does not have the specified index: {name}")
        if index.record.status == CREATING:
            raise errors.validation(f"Cannot read from backfilling global secondary index: {name}")
        if index.is_global and self.consistent:
            raise errors.validation("Consistent reads are not supported on global secondary indexes")
        return index

    def _check_projected(self, table: Table, index: Index | None) -> bool:
        """Return whether items have to be fetched from the table, since the (local) index does not show enough."""
        if index is None or index.attributes is None:
            return False
        everything = self.params.get("Select") == "ALL_ATTRIBUTES"
        if index.is_global and everything:
            raise errors.invalid_values(
                f"Select type ALL_ATTRIBUTES is not supported for global secondary index {index.name} "
                "because its projection type is not ALL"
            )
        wanted: set[str] = set()
        for part in (self.clauses.projection, self.clauses.filter):
            if part is not None:
                wanted |= part.attributes
        missing = sorted(wanted - index.attributes)
        if index.is_global and missing:
            raise errors.invalid_values(f"Global secondary index {index.name} does not project [{', '.join(missing)}]")
        return everything or bool(missing)

    def _scanned(self, table: Table, index: Index | None) -> Place:
        place = Place(table, index, b"", b"")
        total, number = self.params.get("TotalSegments"), self.params.get("Segment")
        low, high = keys.segment(0, 1) if total is None or number is None else keys.segment(number, total)
        place.begin, place.end = place.prefix + low, place.prefix + high
        return place

    def _queried(self, table: Table, index: Index | None) -> Place:
        schema = table.keys if index is None else index.keys
        condition = self.clauses.key_condition
        if condition is None:
            raise errors.validation(
                "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."
            )
        wanted = condition.on(
            [name for name, _ in schema.hash], [name for name, _ in schema.range], dict(schema.attributes)
        )
        self._check_filter(schema)
        place = Place(table, index, b"", b"", not self.params.get("ScanIndexForward", True))
        hashes = b"".join(
            [keys.encoded(kind, value) for (_, kind), value in zip(schema.hash, wanted.hash, strict=True)]
        )
        prefix = place.prefix + keys.partition(hashes)
        for (_, kind), value in zip(schema.range, wanted.equal, strict=False):
            prefix += keys.encoded(kind, value)
        if wanted.condition is None:
            place.begin, place.end = keys.within(prefix)
        else:
            kind = schema.range[len(wanted.equal)][1]
            bounds = [keys.encoded(kind, value) for value in wanted.condition.values]
            place.begin, place.end = keys.bounds(prefix, wanted.condition.comparison, *bounds)
        return place

    def _check_filter(self, schema: keys.KeySchema) -> None:
        """A Query's filter has no say in what its key condition is for."""
        if self.clauses.filter is None or self._filters_keys:
            return
        for name in schema.names:
            if name in self.clauses.filter.attributes:
                what = "QueryFilter" if "QueryFilter" in self.params else "Filter Expression"
                raise errors.validation(
                    f"{what} can only contain non-primary key attributes: Primary key attribute: {name}"
                )

    def _check_start(self, place: Place, at: bytes) -> None:
        if self.operation == "Scan":
            total, number = self.params.get("TotalSegments"), self.params.get("Segment")
            if not place.begin <= at < place.end:
                raise invalid_start(
                    "Invalid ExclusiveStartKey. Please use ExclusiveStartKey with correct Segment. "
                    f"TotalSegments: {total} Segment: {number}"
                )
            return
        schema = place.table.keys if place.index is None else place.index.keys
        if not schema.range and place.index is None:
            raise errors.validation("ExclusiveStartKey is not supported in a Query of a table without a sort key")
        if not place.begin <= at < place.end:
            raise errors.validation(
                "The provided starting key is outside query boundaries based on provided conditions"
            )

    # -- the answer

    def answer(self) -> Result:
        """Return the page as it is answered."""
        page, place = self.page, self.place
        if place is None:
            raise RuntimeError("nothing was read")
        table, index = place.table, place.index
        result: dict[str, Any] = {"Count": page.matched, "ScannedCount": page.scanned}
        if not self.counts_only:
            result["Items"] = page.found
        if page.last_row is not None:
            last = items.item_of(page.last_row)
            result["LastEvaluatedKey"] = table.keys.chosen(last) | ({} if index is None else index.keys.chosen(last))
        if throttle is not None or "ReturnConsumedCapacity" in self.params:
            consumed = self._consumed(place)
            result["ConsumedCapacity"] = capacity.shown(self.params, table, consumed)
            if throttle is not None:
                throttle.spend(table, "Read", consumed, self.ctx.now())
        return result

    def _consumed(self, place: Place) -> Consumed:
        page = self.page
        units = capacity.read_units(page.size, self.consistent)
        if self.operation == "Scan":
            units = max(units, self._partitions(place) * capacity.read_units(0, self.consistent))
        if place.index is None:
            return Consumed(units)
        return Consumed(page.fetched, {place.index.name: units})

    def _partitions(self, place: Place) -> int:
        """Return how many of the partitions that AWS would have made were looked into: each costs a read at least."""
        if place.table.record.billing != ON_DEMAND:
            return 1
        at = len(place.prefix)
        low = place.begin[at : at + 2].ljust(2, b"\x00")
        high = self.page.last[:2] if self.page.last_row is not None else place.end[at : at + 2]
        step = keys.HASH_VALUES // _ON_DEMAND_PARTITIONS
        first, last = int.from_bytes(low, "big") // step, max(0, int.from_bytes(high, "big") - 1) // step
        return last - first + 1


async def read(ctx: Context, operation: str, params: Params) -> Result:
    """Answer a Query or a Scan. Raises AwsError."""
    reading = Reading(ctx, operation, params)
    while not reading.take(await ctx.transact(reading.step)):
        await asyncio.sleep(0)
    return reading.answer()


def check_segments(params: Mapping[str, Any]) -> None:
    """Raise unless Segment and TotalSegments of a Scan go with each other."""
    total, number = params.get("TotalSegments"), params.get("Segment")
    if total is None and number is None:
        return
    if total is None:
        raise errors.validation(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is "
            "present"
        )
    if number is None:
        raise errors.validation(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is "
            "present"
        )
    if number >= total:
        raise errors.validation(
            f"The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {number} "
            f"is not less than TotalSegments: {total}"
        )


def _check_select(params: Params, operation: str) -> None:
    """Raise unless Select goes with what else says which attributes are wanted."""
    select = params.get("Select")
    projected = next((name for name in ("AttributesToGet", "ProjectionExpression") if name in params), None)
    if select in ("ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES", "COUNT") and projected is not None:
        what = "only the Count" if select == "COUNT" else select
        raise _conflicting(f"Cannot specify the {projected} when choosing to get {what}")
    if select == "SPECIFIC_ATTRIBUTES" and projected is None:
        raise _conflicting(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES"
        )
    if operation == "Scan":
        check_segments(params)


def _conflicting(message: str) -> AwsError:
    return errors.invalid_values(message)
