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
from cloudlet.services.dynamodb import access, errors
from cloudlet.services.dynamodb.expressions import Substitutions, parse_projection, parse_search_condition
from cloudlet.services.dynamodb.item_data import items, vectors
from cloudlet.services.dynamodb.item_data.values import Value, checked_value
from cloudlet.services.dynamodb.tables import directory, table_keys
from cloudlet.services.dynamodb.tables.table import VectorIndex
from cloudlet.services.dynamodb.tables.table_record import CREATING

MOST_RESULTS = 100
ANSWER_BYTES = 16 << 20
_MOST_ROWS = 64
_FLOATS, _BYTES = 1 << 14, 1 << 20
"""How many numbers are compared, and how many bytes are read, before others have a turn."""
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
            raise errors.validation(
                f"Provided TopK value '{self.count}' is out of valid range. "
                f"The value must be between 1 and {MOST_RESULTS} inclusive"
            )
        subs = Substitutions(params.get("ExpressionAttributeNames"), params.get("ExpressionAttributeValues"))
        text, wanted = params.get(_CONDITION), params.get("ProjectionExpression")
        self.condition = None if text is None else parse_search_condition(text, subs)
        self.projection = None if wanted is None else parse_projection(wanted, subs)
        subs.check_used()
        self.given: Value = {"L": [checked_value(element) for element in params["SearchVector"]]}
        self.table_id: int | None = None
        self.vector: vectors.Vector = ()
        self.larger_is_better = False
        self.last = b""
        self.size = 0
        self.row_bytes = _BYTES // 16
        """How large the last rows were, on average; before the first, a guess."""
        self.best: list[tuple[float, int, bytes]] = []
        """The best so far, the worst of them first: how good, a number that tells equals apart, the row."""

    async def step(self, tx: Transaction) -> _Stretch:
        """Read some more rows. Raises AwsError."""
        table = await directory.for_items(self.ctx, tx, self.params["TableName"], "SearchVectors")
        name = self.params["IndexName"]
        access.authorize(self.ctx, table, "SearchVectors", name)
        index = table.vectors.get(name)
        if index is None or self.table_id not in (None, table.id):
            raise errors.validation(f"The table does not have the specified index: {name}")
        if index.record.status == CREATING:
            raise errors.validation(f"Cannot search backfilling vector index: {name}")
        if table.is_sealed:
            tx = table_keys.unlock(self.ctx, tx, table)
        self._check_vector(index)
        begin = vectors.in_partition(index, self._partition(index))
        most = max(1, min(_MOST_ROWS, _FLOATS // index.record.dimensions, _BYTES // self.row_bytes))
        rows = await tx.range(self.last + b"\x00" if self.last else begin, begin + b"\xff", limit=most)
        return _Stretch(table.id, index, rows, len(rows) < most)

    def _check_vector(self, index: VectorIndex) -> None:
        """Raise AwsError unless the given vector is one that can be searched for."""
        given, dimensions = len(self.given["L"]), index.record.dimensions
        if given != dimensions:
            raise errors.validation(
                f"Input search vector dimension {given} does not match vector index dimension {dimensions}"
            )
        if vectors.packed(self.given, dimensions) is None:
            raise errors.validation("The members of SearchVector must be 32-bit floating point numbers")

    def _partition(self, index: VectorIndex) -> Value | None:
        """Return the value of the partition to search, where there are any. Raises AwsError for a wrong condition."""
        name, asked = index.record.hash, self.condition
        if asked is None:
            if name is not None:
                raise errors.validation(f"{_CONDITION} must be provided when SearchSchema has a HASH key")
            return None
        for term in asked.terms:
            kind = index.types.get(term.attribute)
            if kind is None:
                raise errors.validation(
                    f"{_CONDITION} can only contain attributes of the SearchSchema: {term.attribute}"
                )
            if any(kind not in value for value in term.values):
                raise errors.invalid_values("Condition parameter type does not match schema type")
        if name is None:
            return None
        if name not in asked.required:
            raise errors.validation(f"{_CONDITION} must contain an equality on the HASH key: {name}")
        if sum(term.attribute == name for term in asked.terms) > 1:
            raise errors.validation(f"{_CONDITION} must contain only one condition on the HASH key: {name}")
        return asked.required[name]

    def take(self, stretch: _Stretch) -> bool:
        """Take in what a step has read; return whether the search is over."""
        record = stretch.index.record
        if self.table_id is None:
            self.table_id = stretch.table_id
            self.vector = vectors.unpacked(vectors.packed(self.given, record.dimensions) or b"", record.dimensions)
            self.larger_is_better = record.distance == "DOT_PRODUCT"
        asked, condition = self.condition, None
        if asked is not None and len(asked.terms) > (record.hash is not None):
            # There is more to it than the partition key, which all rows here have.
            condition = asked.condition
        at = record.dimensions * vectors.FLOAT_BYTES
        self.row_bytes = max(1, sum(len(row) for _, row in stretch.rows) // max(1, len(stretch.rows)))
        for key, row in stretch.rows:
            self.last = key
            self.size += at
            if condition is not None and not condition.matches(items.item_of(row[at:])):
                continue
            score = vectors.score(record.distance, vectors.unpacked(row, record.dimensions), self.vector)
            entry = (score if self.larger_is_better else -score, -self.size, row)
            if len(self.best) < self.count:
                heapq.heappush(self.best, entry)
            else:
                heapq.heappushpop(self.best, entry)
        return stretch.is_last

    def answer(self, index: VectorIndex) -> Result:
        """Return the best, the most similar first. Raises AwsError."""
        found = sorted(self.best, reverse=True)
        at = index.record.dimensions * vectors.FLOAT_BYTES
        if sum(len(row) - at for _, _, row in found) > ANSWER_BYTES:
            raise errors.validation("The response of SearchVectors is limited to 16 MB. Use a smaller TopK.")
        # The sum makes 0.0 of -0.0.
        sign = 1 if self.larger_is_better else -1
        results = [{"Item": self._shown(index, row, at), "Score": sign * goodness + 0.0} for goodness, _, row in found]
        result: dict[str, Any] = {"SearchResults": results}
        if self.params.get("ReturnConsumedCapacity", "NONE") != "NONE":
            result["ConsumedCapacity"] = {"VectorSearchRequestBytes": float(max(vectors.LEAST_BYTES, self.size))}
        return result

    def _shown(self, index: VectorIndex, row: bytes, at: int) -> Any:
        """Return what is wanted of a row; the vector is part of it only where it is asked for by name."""
        if self.projection is None:
            return items.to_api(self.ctx, row[at:])
        item = items.item_of(row[at:])
        name = index.record.attribute
        if name in self.projection.attributes:
            item[name] = vectors.to_api(vectors.unpacked(row, index.record.dimensions))
        return self.projection.of(item)


async def search(ctx: Context, params: Params) -> Result:
    """Answer SearchVectors. Raises AwsError."""
    search = _Search(ctx, params)
    while True:
        stretch = await ctx.transact(search.step)
        if search.take(stretch):
            return search.answer(stretch.index)
        await asyncio.sleep(0)
