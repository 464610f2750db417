"""Consumed capacity, as AWS computes and shows it.

Developer Guide, "Read and write operations in DynamoDB": a read unit is 4 KB read with strong consistency (half of one
without, two in a transaction), a write unit 1 KB (two in a transaction).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cloudlet.services.dynamodb.tables.table import Table

_READ_BYTES: Final = 4096
_WRITE_BYTES: Final = 1024


def read_units(size: int, consistent: bool) -> float:
    """Return the units that reading `size` bytes takes; reading nothing takes as much as a small item."""
    units = max(1, -(-size // _READ_BYTES))
    return float(units) if consistent else units / 2


def write_units(size: int) -> float:
    """Return the units that writing an item takes; `size` is that of the larger of the old and the new one."""
    return float(max(1, -(-size // _WRITE_BYTES)))


class Consumed:
    """What a request has consumed of one table and its indexes."""

    __slots__ = ("indexes", "table", "vectors")

    def __init__(
        self,
        table: float = 0,
        indexes: dict[str, float] | None = None,
        vectors: dict[str, float] | None = None,
    ) -> None:
        self.table = table
        self.indexes = {} if indexes is None else indexes
        self.vectors = {} if vectors is None else vectors
        """Bytes written to vector indexes, by name."""

    def add(self, units: float, indexes: Mapping[str, float] = {}, vectors: Mapping[str, float] = {}) -> None:
        """Add units of the table and of indexes by name, and bytes of vector indexes by name."""
        self.table += units
        if indexes:
            _add(self.indexes, indexes)
        if vectors:
            _add(self.vectors, vectors)


def _add(total: dict[str, float], more: Mapping[str, float]) -> None:
    for name, units in more.items():
        total[name] = total.get(name, 0) + units


def to_api(params: Mapping[str, Any], named: str, table: Table, consumed: Consumed, kind: str | None = None) -> Any:
    """Return ConsumedCapacity as `ReturnConsumedCapacity` asks for it, or None.

    `named` is what the request calls the table: who names it by its ARN is answered with the ARN. `kind` is Read or
    Write where units are told apart by it, as in transactions. API reference, ConsumedCapacity.
    """
    mode = params.get("ReturnConsumedCapacity")
    if mode is None or mode == "NONE":
        return None
    total = consumed.table + sum(consumed.indexes.values())
    answer: dict[str, Any] = {"TableName": named, **_units(total, kind)}
    if mode == "INDEXES":
        answer["Table"] = _units(consumed.table, kind)
        for member, is_global in (("LocalSecondaryIndexes", False), ("GlobalSecondaryIndexes", True)):
            chosen = {
                name: _units(units, kind)
                for name, units in consumed.indexes.items()
                if table.indexes[name].is_global is is_global
            }
            if chosen:
                answer[member] = chosen
        if consumed.vectors:
            answer["VectorIndexes"] = {
                name: {"VectorWriteRequestBytes": float(size)} for name, size in consumed.vectors.items()
            }
    return answer


def _units(units: float, kind: str | None) -> dict[str, float]:
    units = float(units)
    return {"CapacityUnits": units} if kind is None else {"CapacityUnits": units, f"{kind}CapacityUnits": units}
