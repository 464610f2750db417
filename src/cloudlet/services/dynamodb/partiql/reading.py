"""SELECT: pages of items of a table or an index, and single items by their keys."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.services.dynamodb import access
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.expressions import Condition, KeyCondition
from cloudlet.services.dynamodb.item_data import items
from cloudlet.services.dynamodb.item_data.key_checks import key_of
from cloudlet.services.dynamodb.partiql import plans
from cloudlet.services.dynamodb.partiql.continuation import Position, digest_of, position
from cloudlet.services.dynamodb.partiql.plans import ReadPlan
from cloudlet.services.dynamodb.partiql.statements import Select
from cloudlet.services.dynamodb.requests import condition_keys
from cloudlet.services.dynamodb.requests.clauses import Clauses
from cloudlet.services.dynamodb.requests.reading import PAGE_BYTES, Reading
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table import Index, Table

PERMISSION = "PartiQLSelect"
_PARTITIONS = 10
"""How many of the values that IN names are looked up for one page (Developer Guide, "PartiQL … operators")."""


async def select(ctx: Context, statement: Select, params: Params) -> Result:
    """Answer an ExecuteStatement with SELECT. Raises AwsError."""

    async def table_of(tx: Transaction) -> Table:
        return await directory.for_items(ctx, tx, statement.table, PERMISSION)

    plan = _plan(statement, await ctx.transact(table_of), is_consistent=params.get("ConsistentRead", False))
    digest = digest_of([params["Statement"], params.get("Parameters")])
    token = params.get("NextToken")
    return await _Selection(ctx, statement, params, plan).page(
        Position(digest, 0) if token is None else position(token, digest)
    )


def _plan(statement: Select, table: Table, *, is_consistent: bool) -> ReadPlan:
    index = _index(statement, table)
    if index is not None and index.is_global and is_consistent:
        raise validation("Strongly consistent read is not supported on Global Secondary Indexes")
    return plans.read_plan(statement.where, table.keys if index is None else index.keys, statement.order)


def _index(statement: Select, table: Table) -> Index | None:
    """Return the index that a statement reads, if it does. Raises AwsError."""
    if statement.index is None:
        return None
    index = table.indexes.get(statement.index)
    if index is None:
        raise validation("The table does not have the specified index")
    if len(index.keys.hash) > 1 or len(index.keys.range) > 1:
        raise validation(
            "PartiQL statements cannot be executed on tables with multi-attribute HASH keys or multi-attribute RANGE "
            "keys."
        )
    return index


class _Selection:
    """A SELECT under way: its ranges are read one after the other until the page is full."""

    def __init__(self, ctx: Context, statement: Select, params: Params, plan: ReadPlan) -> None:
        self._ctx = ctx
        self._statement = statement
        self._params = params
        self._plan = plan

    async def page(self, start: Position) -> Result:
        found: list[Any] = []
        consumed: Mapping[str, Any] | None = None
        ranges = self._ranges()
        number, last, size = start.range, start.last, 0
        end = min(len(ranges), number + _PARTITIONS)
        room: int | None = self._params.get("Limit")
        result: dict[str, Any] = {}
        while number < end:
            answer, reading = await self._read(ranges[number], last, room)
            found += answer["Items"]
            if answer.get("ConsumedCapacity") is not None:
                consumed = _added(consumed, answer["ConsumedCapacity"])
            size += reading.page.size
            room = None if room is None else room - reading.page.scanned
            last = answer.get("LastEvaluatedKey")
            number += last is None
            if room == 0 or last is not None or size >= PAGE_BYTES:
                break
        if last is not None or number < len(ranges):
            result["NextToken"] = Position(start.digest, number, last).token()
            result["LastEvaluatedKey"] = last
        return {"Items": found, "ConsumedCapacity": consumed, **result}

    def _ranges(self) -> list[KeyCondition | None]:
        return [None] if self._plan.ranges is None else list(self._plan.ranges)

    async def _read(
        self, key_condition: KeyCondition | None, last: Any, room: int | None
    ) -> tuple[Mapping[str, Any], Reading]:
        asked = Clauses(filter=self._plan.rest, projection=self._statement.columns, key_condition=key_condition)
        wanted = {
            "TableName": self._statement.table,
            "IndexName": self._statement.index,
            "ConsistentRead": self._params.get("ConsistentRead"),
            "Limit": room,
            "ExclusiveStartKey": last,
            "ReturnConsumedCapacity": self._params.get("ReturnConsumedCapacity"),
            "ScanIndexForward": not self._plan.descending,
        }
        given = {name: value for name, value in wanted.items() if value is not None}
        operation = "Scan" if key_condition is None else "Query"
        reading = Reading(self._ctx, operation, given, asked, PERMISSION)
        while not await reading.take(await self._ctx.transact(reading.step)):
            await asyncio.sleep(0)
        return reading.answer() or {}, reading


def _added(one: Mapping[str, Any] | None, other: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the sum of two ConsumedCapacity structures."""
    if one is None:
        return other
    total = dict(one)
    for name, value in other.items():
        if isinstance(value, Mapping):
            total[name] = _added(total.get(name), value)
        elif isinstance(value, float):
            total[name] = total.get(name, 0.0) + value
    return total


class Single:
    """A SELECT of one item by its key, and whatever else WHERE says of it. Raises AwsError for any other."""

    def __init__(self, statement: Select, table: Table, enclosing: str) -> None:
        """`enclosing` is the operation."""
        if _index(statement, table) is not None or statement.where is None or statement.order:
            raise _not_single(enclosing)
        try:
            key, self._rest = plans.key_of(statement.where, table.keys)
        except AwsError:
            raise _not_single(enclosing) from None
        self.table = table
        self.named = statement.table
        """What the statement calls the table: its name or its ARN."""
        self.key, self._given = key_of(table, key)
        self._columns = statement.columns

    async def read(self, ctx: Context, tx: Transaction, enclosing: str | None = None) -> tuple[int, Any]:
        """Return the size of the item that is there, and what is wanted of it, None if nothing.

        `enclosing` is the operation, if it is a transaction. Raises AwsError.
        """
        access.authorize(ctx, self.table, PERMISSION, keys=lambda: self._condition_keys(enclosing))
        if self.table.is_sealed:
            tx = table_keys.unlock(ctx, tx, self.table)
        raw = await tx.get(self.table.items_prefix + self.key)
        if raw is None:
            return 0, None
        return items.size_of(raw), self._shown(ctx, raw, self._rest)

    def _condition_keys(self, enclosing: str | None) -> Keys:
        asked = Clauses(filter=self._rest, projection=self._columns)
        keys = condition_keys.of_items(self.table.keys, [self._given], asked, {}, reads=True, enclosing=enclosing)
        return keys | {"dynamodb:FullTableScan": "false"}

    def _shown(self, ctx: Context, raw: bytes, rest: Condition | None) -> Any:
        if rest is None and self._columns is None:
            return items.to_api(ctx, raw)
        item = items.item_of(raw)
        if rest is not None and not rest.matches(item):
            return None
        return item if self._columns is None else self._columns.of(item)


def _not_single(enclosing: str) -> AwsError:
    return validation(f"Select statements within {enclosing} must specify the primary key in the where clause.")
