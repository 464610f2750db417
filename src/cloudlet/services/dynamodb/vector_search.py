"""SearchVectors: the items of a vector index whose vectors are most like a given one.

The search is exact: it compares the vector with all those of the partition. AWS's is an approximation.
Developer Guide, "Creating and searching vector indexes".
"""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass
from typing import Any

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.dynamodb import access, directory, errors, items, vectors
from cloudlet.services.dynamodb.expressions import KeyCondition, Substitutions, parse_key_condition, parse_projection
from cloudlet.services.dynamodb.table import CREATING, Table, VectorIndex
from cloudlet.services.dynamodb.values import Item, Value, checked_value, equal

MOST_RESULTS = 100
ANSWER_BYTES = 16 << 20
_ROWS = 64
_CONDITION = "SearchConditionExpression"


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Rows of an index, and whether there are no more."""

    table_id: int
    index: VectorIndex
    rows: list[tuple[bytes, bytes]]
    is_last: bool


class _Search:
    """A search under way: it reads some rows at a time, and keeps the best."""

    def __init__(self, ctx: Context, params: Params) -> None:
        self.ctx = ctx
        self.params = params
        self.count: int = params["TopK"]
        if not 1 <= self.count <= MOST_RESULTS:
            raise errors.validation("Provided TopK value is out of valid range")
        subs = Substitutions(params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues"))
        text, wanted = params.get(_CONDITION), params.get("ProjectionExpression")
        self.condition: KeyCondition | None = None if text is None else parse_key_condition(text, subs, _CONDITION)
        self.projection = None if wanted is None else parse_projection(wanted, subs)
        subs.check_used()
        self.given: Value = {"L": [checked_value(element) for element in params["SearchVector"]]}
        self.table_id: int | None = None
        self.vector: tuple[float, ...] = ()
        self.larger_is_better = False
        self.last = b""
        self.size = 0
        self.best: list[tuple[float, int, bytes]] = []
        """The best so far, the worst of them first: how good, a number that tells equals apart, the stored item."""

    async def step(self, tx: Transaction) -> _Stretch:
        """Read some more rows. Raises AwsError."""
        table = await directory.for_items(self.ctx, tx, self.params["TableName"])
        name = self.params["IndexName"]
        access.authorize(self.ctx, table, "SearchVectors", name)
        index = table.vectors.get(name)
        if index is None:
            raise errors.validation(f"The table does not have the specified vector index: {name}")
        if index.record.status == CREATING:
            raise errors.validation(f"Cannot search backfilling vector index: {name}")
        self._check(table, index)
        begin = vectors.in_partition(index, self._partition(index))
        rows = await tx.range(self.last + b"\x00" if self.last else begin, begin + b"\xff", limit=_ROWS)
        return _Stretch(table.id, index, rows, len(rows) < _ROWS)

    def take(self, stretch: _Stretch) -> bool:
        """Take in what a step has read; return whether the search is over."""
        record = stretch.index.record
        self.table_id = stretch.table_id
        if not self.vector:
            self.vector = vectors.unpacked(vectors.packed(self.given, record.dimensions) or b"", record.dimensions)
        filters = self._filters(stretch.index)
        self.larger_is_better = record.distance == "DOT_PRODUCT"
        at = record.dimensions * vectors.FLOAT_BYTES
        for key, row in stretch.rows:
            self.last = key
            self.size += at
            stored = row[at:]
            if filters and not _passes(items.item_of(stored), filters):
                continue
            score = vectors.score(record.distance, vectors.unpacked(row, record.dimensions), self.vector)
            entry = (score if self.larger_is_better else -score, -self.size, stored)
            if len(self.best) < self.count:
                heapq.heappush(self.best, entry)
            else:
                heapq.heappushpop(self.best, entry)
        return stretch.is_last

    def _check(self, table: Table, index: VectorIndex) -> None:
        """Raise AwsError unless the request goes with the index."""
        record = index.record
        if self.table_id not in (None, table.id):
            raise errors.no_such_table()
        if vectors.packed(self.given, record.dimensions) is None:
            raise errors.validation(
                f"SearchVector must be a list of {record.dimensions} numbers, as many as the index has dimensions"
            )
        if self.projection is not None and index.attributes is not None:
            missing = sorted(self.projection.attributes - index.attributes)
            if missing:
                raise errors.invalid_values(f"Vector index {index.name} does not project [{', '.join(missing)}]")

    def _conditions(self, index: VectorIndex) -> dict[str, Value]:
        """Return the values that attributes of the search schema must have. Raises AwsError."""
        name, condition = index.record.hash, self.condition
        if condition is None:
            if name is not None:
                raise errors.validation(f"{_CONDITION} must be provided when SearchSchema has a HASH key")
            return {}
        names = sorted(condition.attributes)
        unknown = [each for each in names if each not in index.types]
        if unknown:
            raise errors.validation(f"{_CONDITION} can only contain attributes of the SearchSchema: {unknown[0]}")
        if name is not None and name not in condition.attributes:
            raise errors.validation(f"{_CONDITION} must contain the HASH key of the SearchSchema: {name}")
        if not condition.compares_only_equality:
            raise errors.validation(f"Invalid comparator used in {_CONDITION}")
        return dict(zip(names, condition.on(names, [], index.types).hash, strict=True))

    def _partition(self, index: VectorIndex) -> Value | None:
        conditions = self._conditions(index)
        return None if index.record.hash is None else conditions[index.record.hash]

    def _filters(self, index: VectorIndex) -> dict[str, Value]:
        return {name: value for name, value in self._conditions(index).items() if name != index.record.hash}

    def answer(self) -> Result:
        """Return the best, the most similar first. Raises AwsError."""
        found = sorted(self.best, reverse=True)
        if sum(len(stored) for _, _, stored in found) > ANSWER_BYTES:
            raise errors.validation("The response of SearchVectors is limited to 16 MB. Use a smaller TopK.")
        result: dict[str, Any] = {"SearchResults": [self._shown(*entry) for entry in found]}
        if self.params.get("ReturnConsumedCapacity", "NONE") != "NONE":
            result["ConsumedCapacity"] = {"VectorSearchRequestBytes": float(self.size)}
        return result

    def _shown(self, goodness: float, _: int, stored: bytes) -> dict[str, Any]:
        projection = self.projection
        item = items.shown(self.ctx, stored) if projection is None else projection.of(items.item_of(stored))
        # The sum makes 0.0 of -0.0.
        return {"Item": item, "Score": goodness if self.larger_is_better else -goodness + 0.0}


def _passes(item: Item, filters: dict[str, Value]) -> bool:
    return all(name in item and equal(item[name], value) for name, value in filters.items())


async def search(ctx: Context, params: Params) -> Result:
    """Answer SearchVectors. Raises AwsError."""
    search = _Search(ctx, params)
    while not search.take(await ctx.transact(search.step)):
        await asyncio.sleep(0)
    return search.answer()
