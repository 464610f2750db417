"""Keeping vector indexes in line with the items of their table.

An item is in a vector index if its vector attribute is a list of as many numbers as the index has dimensions, and it
has the attribute that the index is partitioned by; else it is written, but not found by a search (Developer Guide,
"Data synchronization between tables and vector indexes"). Vectors are kept as 32-bit floats.
"""

from __future__ import annotations

import math
import struct

from cloudlet.core import Transaction
from cloudlet.services.dynamodb import items
from cloudlet.services.dynamodb.keys import behind_index_key, encoded, partition
from cloudlet.services.dynamodb.table import CREATING, Table, VectorIndex
from cloudlet.services.dynamodb.values import Item, Value

FLOAT_BYTES = 4


def packed(value: Value | None, dimensions: int) -> bytes | None:
    """Return a list of numbers as 32-bit floats; None for what is no vector of so many dimensions."""
    elements = None if value is None else value.get("L")
    if elements is None or len(elements) != dimensions or not all("N" in element for element in elements):
        return None
    numbers = [float(element["N"]) for element in elements]
    try:
        raw = struct.pack(f"<{dimensions}f", *numbers)
    except OverflowError:
        return None
    return raw


def unpacked(raw: bytes, dimensions: int) -> tuple[float, ...]:
    """Return the vector that `packed` has made, or that a row begins with."""
    vector: tuple[float, ...] = struct.unpack_from(f"<{dimensions}f", raw)
    return vector


def in_partition(index: VectorIndex, value: Value | None) -> bytes:
    """Return what the keys of all rows of a partition begin with; `value` is None where there are no partitions."""
    name = index.record.hash
    encoded_hash = b"" if name is None or value is None else encoded(index.types[name], value)
    return index.rows.prefix + partition(encoded_hash)


def _row(index: VectorIndex, item: Item | None, key: bytes) -> tuple[bytes, bytes] | None:
    """Return the key and the contents of an item's row; None where it has none."""
    if item is None:
        return None
    record = index.record
    for name, kind in index.types.items():
        value = item.get(name)
        if value is None and name != record.hash:
            continue
        if value is None or not value.get(kind):
            return None
    vector = packed(item.get(record.attribute), record.dimensions)
    if vector is None:
        return None
    at = in_partition(index, None if record.hash is None else item[record.hash]) + behind_index_key(key)
    return at, vector + items.stored(index.projected(item))


def size_of(index: VectorIndex, row: bytes) -> int:
    """Return the bytes that a row counts for."""
    vector = index.record.dimensions * FLOAT_BYTES
    return vector + items.size_of(row[vector : vector + FLOAT_BYTES])


async def update(tx: Transaction, table: Table, key: bytes, old: Item | None, new: Item | None) -> dict[str, int]:
    """Bring all vector indexes in line with a change of an item; return the bytes written to those it concerns."""
    written: dict[str, int] = {}
    for index in table.vectors.values():
        before, after = _row(index, old, key), _row(index, new, key)
        if before is not None and index.record.status == CREATING and await tx.get(before[0]) is None:
            # The index is being filled, and has not come to this item yet.
            before = None
        if before == after:
            continue
        if before is not None and (after is None or after[0] != before[0]):
            tx.delete(before[0])
        if after is not None:
            tx.put(*after)
        sizes = [0 if row is None else size_of(index, row[1]) for row in (before, after)]
        _count(tx, index, (after is not None) - (before is not None), sizes[1] - sizes[0])
        written[index.name] = max(sizes)
    return written


async def fill(tx: Transaction, index: VectorIndex, key: bytes, raw: bytes) -> int:
    """Write the row of an item that was there before the index, if it is to have one; return its size."""
    row = _row(index, items.item_of(raw), key)
    if row is None:
        return 0
    size = size_of(index, row[1])
    if await tx.get(row[0]) is None:
        # One that is there already was written by a change of the item meanwhile, and is the same.
        tx.put(*row)
        _count(tx, index, 1, size)
    return size


def _count(tx: Transaction, index: VectorIndex, rows: int, size: int) -> None:
    if rows:
        tx.add(index.row_count, rows)
    if size:
        tx.add(index.size_count, size)


def score(distance: str, one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the score of two vectors: COSINE and EUCLIDEAN are the smaller the more alike, DOT_PRODUCT the larger."""
    if distance == "EUCLIDEAN":
        return math.dist(one, other)
    product = math.fsum(a * b for a, b in zip(one, other, strict=True))
    if distance == "DOT_PRODUCT":
        return product
    lengths = math.hypot(*one) * math.hypot(*other)
    # The direction of a vector without length is nobody's.
    return 1.0 - product / lengths if lengths else 1.0
