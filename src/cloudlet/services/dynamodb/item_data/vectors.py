"""Keeping vector indexes in line with the items of their table.

An item is in a vector index if it has the vector attribute and the attribute that the index is partitioned by. A write
of something else than a vector of the index's dimensions is refused (Developer Guide, "Writing items with vector data",
"Troubleshooting vector indexes"). Vectors are kept as 32-bit floats.
"""

from __future__ import annotations

import math
import struct
from operator import mul

from cloudlet.core import Transaction
from cloudlet.services.dynamodb import errors
from cloudlet.services.dynamodb.item_data import items
from cloudlet.services.dynamodb.item_data.key_checks import fits_vector_index
from cloudlet.services.dynamodb.item_data.keys import behind_index_key, encoded, partition
from cloudlet.services.dynamodb.item_data.values import Item, Value, type_of
from cloudlet.services.dynamodb.tables.table import Table, VectorIndex
from cloudlet.services.dynamodb.tables.table_record import CREATING

FLOAT_BYTES = 4
LEAST_BYTES = 1024
"""What a write or a search counts for at least."""
_DIGITS = range(6, 10)
"""With how many significant digits a 32-bit float may have to be written."""

Vector = tuple[float, ...]


def packed(value: Value | None, dimensions: int) -> bytes | None:
    """Return a list of numbers as 32-bit floats; None for what is no vector of so many dimensions."""
    elements = None if value is None else value.get("L")
    if elements is None or len(elements) != dimensions or not all("N" in element for element in elements):
        return None
    try:
        return struct.pack(f"<{dimensions}f", *(float(element["N"]) for element in elements))
    except OverflowError:
        return None


def unpacked(raw: bytes, dimensions: int) -> Vector:
    """Return the vector that `packed` has made, or that a row begins with."""
    return struct.unpack_from(f"<{dimensions}f", raw)


def to_api(vector: Vector) -> Value:
    """Return a vector of 32-bit floats as an attribute value, each number as short as it can be told from others."""
    return {"L": [{"N": _number(number)} for number in vector]}


def _number(number: float) -> str:
    exact = struct.pack("<f", number)
    texts = (f"{number:.{digits}g}" for digits in _DIGITS)
    return next(text for text in texts if struct.pack("<f", float(text)) == exact)


def check(table: Table, item: Item) -> None:
    """Raise AwsError where an item has something else than a vector of an index in the place of one."""
    for index in table.vectors.values():
        name, dimensions = index.record.attribute, index.record.dimensions
        value = item.get(name)
        if value is None or packed(value, dimensions) is not None:
            continue
        elements = value.get("L")
        if elements is None:
            problem = f"Invalid type for parameter {name}, Expected: L, Actual: {type_of(value)}"
        elif len(elements) != dimensions:
            problem = f"Invalid size for parameter {name}, Expected: {dimensions}, Actual: {len(elements)}"
        else:
            wrong = next((at for at, element in enumerate(elements) if "N" not in element), None)
            problem = (
                f"Invalid value for parameter {name}: its members must be 32-bit floating point numbers"
                if wrong is None
                else f"Invalid type for parameter {name}[{wrong}], Expected: N, Actual: {type_of(elements[wrong])}"
            )
        raise errors.invalid_values(f"{problem}. IndexName: {index.name}")


def in_partition(index: VectorIndex, value: Value | None) -> bytes:
    """Return what the keys of all rows of a partition begin with; `value` is None where there are no partitions."""
    encoded_hash = b"" if value is None else encoded(index.hash[0][1], value)
    return index.rows.prefix + partition(encoded_hash)


def _row(index: VectorIndex, item: Item | None, key: bytes) -> tuple[bytes, bytes] | None:
    """Return the key and the contents of an item's row; None where it has none."""
    if item is None or not fits_vector_index(index, item):
        return None
    record = index.record
    vector = packed(item.get(record.attribute), record.dimensions)
    if vector is None:
        return None
    at = in_partition(index, None if record.hash is None else item[record.hash]) + behind_index_key(key)
    return at, vector + items.stored(index.projected(item))


def size_of(index: VectorIndex, row: bytes) -> int:
    """Return the bytes that a row counts for."""
    at = index.record.dimensions * FLOAT_BYTES
    return at + items.size_of(row[at:])


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
        old_size, new_size = (0 if row is None else size_of(index, row[1]) for row in (before, after))
        _count(tx, index, (after is not None) - (before is not None), new_size - old_size)
        written[index.name] = max(old_size, new_size)
    if written:
        # The least that is counted is per request, not per index.
        first = next(iter(written))
        written[first] += max(0, LEAST_BYTES - sum(written.values()))
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


def score(distance: str, one: Vector, other: Vector) -> float:
    """Return the score of two vectors: COSINE and EUCLIDEAN are the smaller the more alike, DOT_PRODUCT the larger."""
    if distance == "EUCLIDEAN":
        return math.dist(one, other)
    product: float = sum(map(mul, one, other))
    if distance == "DOT_PRODUCT":
        return product
    lengths = math.hypot(*one) * math.hypot(*other)
    # The direction of a vector without length is nobody's.
    return 1.0 - product / lengths if lengths else 1.0
