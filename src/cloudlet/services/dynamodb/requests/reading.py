"""Query and Scan: pages of items of a table or an index, up to 1 MB each.

A page is read in several transactions, so that a large one does not hold up others; each reads a stretch of rows, and
sees all writes that were answered before it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.telemetry.metrics import is_measured
from cloudlet.services.dynamodb import access, errors, measuring
from cloudlet.services.dynamodb.expressions.predicates import weight
from cloudlet.services.dynamodb.item_data import items, keys
from cloudlet.services.dynamodb.item_data.values import Item
from cloudlet.services.dynamodb.requests import capacity, clauses, condition_keys
from cloudlet.services.dynamodb.requests.capacity import Consumed
from cloudlet.services.dynamodb.requests.clauses import Clauses
from cloudlet.services.dynamodb.requests.places import Asked, Place, check_selection
from cloudlet.services.dynamodb.requests.throttling import throttle
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.services.dynamodb.tables.table_record import ON_DEMAND
from cloudlet.store.interface import Row

PAGE_BYTES = 1 << 20
_FIRST_ROWS = 16
_MOST_ROWS = 256
_DECODED_BYTES = 256 << 10
"""So much is decoded before others have their turn."""
_COMPARED_BYTES = 128
"""So much is decoded in the time that one comparison takes, or finding one part of an item."""
_ON_DEMAND_PARTITIONS = 4
"""The partitions that a new table on demand has (Developer Guide, "Initial throughput for on-demand mode")."""


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
    fetched_size: int = 0
    """The bytes of those items: they are part of what a page may have."""

    @property
    def room(self) -> int:
        """The bytes that the page may still get; below zero when it is full."""
        return PAGE_BYTES - self.size - self.fetched_size


class Batch(msgspec.Struct, frozen=True):
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
        self._asked = Asked(operation, params, self.clauses, filters_keys=asked is not None)
        self._permission = permission or operation
        check_selection(params, operation)
        self.consistent = self._asked.consistent
        self.counts_only = params.get("Select") == "COUNT"
        self.limit: int | None = params.get("Limit")
        self.place: Place | None = None
        self.page = Page()
        self._rows = _FIRST_ROWS
        filtering, projection = self.clauses.filter, self.clauses.projection
        looks = (0 if filtering is None else weight(filtering)) + (0 if projection is None else len(projection.paths))
        self._looking_bytes = _COMPARED_BYTES * looks
        """What it takes to look at a row beside decoding it."""

    async def step(self, tx: Transaction) -> Batch:
        """Read some more, as far as it is not known yet what lies there. Raises AwsError.

        It changes nothing about the reading: a transaction that conflicts is run again.
        """
        table = await directory.for_items(self.ctx, tx, self.params["TableName"], self._permission)
        access.authorize(
            self.ctx, table, self._permission, self.params.get("IndexName"), lambda: self._condition_keys(table)
        )
        place = self.place
        if place is None:
            place = self._asked.place(table)
            if throttle is not None:
                throttle.admit(table, "Read", self.ctx.now(), place.index)
        elif place.table.record.id != table.record.id:
            raise errors.no_such_table()
        begin, end = place.begin, place.end
        if self.page.last:
            at = place.prefix + self.page.last
            begin, end = (begin, at) if place.backwards else (at + b"\x00", end)
        wanted = self._rows if self.limit is None else min(self._rows, self.limit - self.page.scanned)
        if table.is_sealed:
            tx = table_keys.unlock(self.ctx, tx, table)
        rows = await tx.range(begin, end, limit=wanted, reverse=place.backwards)
        shown = await self._fetched(tx, table, rows) if place.fetches else [row for _, row in rows]
        return Batch(place, rows[: len(shown)], shown, len(shown) < wanted and len(shown) == len(rows))

    def _condition_keys(self, table: Table) -> Keys:
        index = table.indexes.get(self.params.get("IndexName", ""))
        schema = table.keys if index is None else index.keys
        return condition_keys.of_read(schema, self.clauses, self.params, is_partiql=self._asked.filters_keys)

    async def take(self, stretch: Batch) -> bool:
        """Take in what a step has read; return whether the page is complete."""
        place, page = stretch.place, self.page
        self.place = place
        rows, shown = stretch.rows, stretch.shown
        taken = 0
        is_full = False
        for _, row in rows:
            taken += 1
            page.size += items.size_of(row)
            if page.size > PAGE_BYTES or page.scanned + taken == self.limit:
                is_full = True
                break
        if place.fetches:
            page.fetched_size += sum([items.size_of(row) for row in shown[:taken]])
            is_full = is_full or page.room < 0
        if taken:
            key, row = rows[taken - 1]
            page.scanned += taken
            page.last = key[len(place.prefix) :]
            page.last_row = row if is_full and not place.has_one_item else None
            await self._show(shown if taken == len(shown) else shown[:taken], fetched=place.fetches)
        average = max(1, (page.size + page.fetched_size) // max(1, page.scanned))
        self._rows = min(_MOST_ROWS, page.room // average + 1)
        return is_full or stretch.is_last

    async def _show(self, rows: list[bytes], *, fetched: bool) -> None:
        """Put rows on the page, a part at a time where they have to be decoded."""
        if fetched:
            units = [capacity.read_units(items.size_of(row), self.consistent) for row in rows]
            self.page.fetched += sum(units)
        asked = self.clauses
        if asked.filter is not None or asked.projection is not None or self.ctx.protocol != "json":
            begin = size = 0
            for end, row in enumerate(rows):
                if size >= _DECODED_BYTES:
                    self._put(rows[begin:end])
                    begin, size = end, 0
                    await asyncio.sleep(0)
                size += len(row) + self._looking_bytes
            rows = rows[begin:]
        self._put(rows)

    def _put(self, rows: list[bytes]) -> None:
        """Put rows on the page, as far as the filter lets them and as much of them as is wanted."""
        page, condition, projection = self.page, self.clauses.filter, self.clauses.projection
        decoded: list[Item] = []
        if condition is not None:
            kept = [(row, item) for row in rows if condition.matches(item := items.item_of(row))]
            rows, decoded = [row for row, _ in kept], [item for _, item in kept]
        page.matched += len(rows)
        if self.counts_only:
            return
        if projection is None:
            page.found += items.all_shown(self.ctx, rows)
        else:
            page.found += [projection.of(item) for item in decoded or map(items.item_of, rows)]

    async def _fetched(self, tx: Transaction, table: Table, rows: list[Row]) -> list[bytes]:
        """Return the items that rows of a local index show a part of, up to the one that fills the page."""
        found: list[bytes] = []
        room = self.page.room
        for _, row in rows:
            raw = await tx.get(table.items_prefix + table.key(items.item_of(row)))
            if raw is None:
                raise RuntimeError(f"a row of an index of {table.arn} has no item")
            found.append(raw)
            room -= items.size_of(raw)
            if room < 0:
                break
        return found

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
        measures = is_measured(self.ctx.block)
        if measures or throttle is not None or "ReturnConsumedCapacity" in self.params:
            consumed = self._consumed(place)
            if measures:
                units = measuring.units_of(consumed.indexes)
                measuring.spent(self.ctx, (table, "Read", consumed.table, units, page.matched))
            result["ConsumedCapacity"] = capacity.to_api(self.params, self.params["TableName"], table, consumed)
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
    while not await reading.take(await ctx.transact(reading.step)):
        await asyncio.sleep(0)
    return reading.answer()
