"""Keys of items: order-preserving bytes of attribute values, and where in the store the items of a key are.

The values of a key attribute sort as DynamoDB sorts them: strings and binaries by their (unsigned) bytes, numbers by
value. In front of each partition's keys there are two bytes of a hash of its partition key, so that a Scan goes through
partitions in the order of that hash, and the segments of a parallel Scan are contiguous ranges of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final
from zlib import crc32

from cloudlet.core import Subspace
from cloudlet.store import pack
from cloudlet.store.tuple_keys import successor

HASH_BYTES: Final = 2
HASH_VALUES: Final = 1 << 16
"""How many values the hash of a partition key can have."""

_BEHIND_HASHES: Final = b"\xff\xff\xff"
_LEAST_EXPONENT: Final = -130
_LONGEST_PLAIN: Final = 64
_DIGEST: Final = b"\x03"
"""Stands before a digest; no encoded value begins with it."""
_AFTER: Final = b"\xff"
"""Sorts behind whatever can follow a complete value in a key."""

Attribute = tuple[str, str]
"""A key attribute's name, and its type: S, N or B."""


def number_bytes(text: str) -> bytes:
    """Return bytes that sort as the numbers do: 38 digits, magnitudes from 1E-130 to 9.99E+125."""
    sign, digits, exponent = Decimal(text).as_tuple()
    significant = "".join(map(str, digits)).lstrip("0")
    if not significant:
        return b"\x01"
    leading = len(significant) + int(exponent) - 1
    significant = significant.rstrip("0")
    if len(significant) & 1:
        significant += "0"
    pairs = [int(significant[at : at + 2]) + 1 for at in range(0, len(significant), 2)]
    magnitude = bytes([leading - _LEAST_EXPONENT, *pairs])
    if sign:
        # The larger the magnitude, the smaller the number; one with more digits must sort before its prefix.
        return b"\x00" + bytes(byte ^ 0xFF for byte in magnitude) + b"\xff"
    return b"\x02" + magnitude


def encoded(kind: str, value: Mapping[str, Any]) -> bytes:
    """Return the bytes of a key attribute's value, which is of the type `kind`; no encoding begins another one."""
    scalar = value[kind]
    return pack((number_bytes(scalar),) if kind == "N" else (scalar,))


def _packed(attributes: tuple[Attribute, ...], item: Mapping[str, Any]) -> bytes:
    """Return the bytes of the values of some key attributes, in order."""
    values = [item[name][kind] for name, kind in attributes]
    for at, (_, kind) in enumerate(attributes):
        if kind == "N":
            values[at] = number_bytes(values[at])
    return pack(tuple(values))


def partition(encoded_hash: bytes) -> bytes:
    """Return what the keys of all items with a partition key (its attributes encoded, in order) begin with."""
    return (crc32(encoded_hash) & 0xFFFF).to_bytes(HASH_BYTES, "big") + _shortened(encoded_hash)


def behind_index_key(key: bytes) -> bytes:
    """Return what tells items apart that have the same key in an index; `key` is that of the item in its table."""
    return _shortened(key[HASH_BYTES:])


def _shortened(values: bytes) -> bytes:
    """Return encoded values of which the order does not matter, or a digest where they are long.

    The keys of some stores have 2,600 bytes at most, and those of DynamoDB's indexes have up to 6,000.
    """
    return values if len(values) <= _LONGEST_PLAIN else _DIGEST + blake2b(values, digest_size=20).digest()


def hashed(space: Subspace) -> Subspace:
    """Return a subspace whose keys go on with a hash, any two bytes, rather than with packed elements."""
    space.end = space.prefix + _BEHIND_HASHES
    return space


def segment(number: int, total: int) -> tuple[bytes, bytes]:
    """Return the range of hashes (begin, end) of one of `total` segments of a Scan."""
    begin = HASH_VALUES * number // total
    end = HASH_VALUES * (number + 1) // total
    return begin.to_bytes(2, "big"), _BEHIND_HASHES if end == HASH_VALUES else end.to_bytes(2, "big")


class KeySchema:
    """The key attributes of a table or an index, and the keys that items have by them."""

    __slots__ = ("attributes", "hash", "hash_names", "names", "range", "range_names", "types")

    def __init__(self, hash: tuple[Attribute, ...], range: tuple[Attribute, ...]) -> None:
        self.hash = hash
        self.range = range
        self.attributes = (*hash, *range)
        self.types = dict(self.attributes)
        self.names = tuple(self.types)
        self.hash_names = tuple(name for name, _ in hash)
        self.range_names = tuple(name for name, _ in range)

    def key(self, item: Mapping[str, Any]) -> bytes:
        """Return the key of an item that has all key attributes, in their types."""
        return partition(self.hash_bytes(item)) + self.range_bytes(item)

    def hash_bytes(self, item: Mapping[str, Any]) -> bytes:
        """Return the encoded partition key of an item."""
        return _packed(self.hash, item)

    def range_bytes(self, item: Mapping[str, Any]) -> bytes:
        """Return the encoded sort key of an item; empty without one."""
        return _packed(self.range, item)

    def contains(self, item: Mapping[str, Any]) -> bool:
        """Whether an item has all key attributes, in their types: an index leaves out those that have not."""
        for name, kind in self.attributes:
            value = item.get(name)
            if value is None or kind not in value:
                return False
        return True

    def chosen(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return the key attributes of an item that has all of them."""
        return {name: item[name] for name in self.names}


def bounds(prefix: bytes, operator: str, low: bytes, high: bytes = b"") -> tuple[bytes, bytes]:
    """Return the range of keys (begin, end) that begin with `prefix` and go on with a value that satisfies a condition.

    `operator` is =, <, <=, >, >=, BETWEEN or begins_with; `low` (and `high`, for BETWEEN) are encoded values.
    """
    if operator == "=":
        return prefix + low, prefix + low + _AFTER
    if operator == "<":
        return prefix, prefix + low
    if operator == "<=":
        return prefix, prefix + low + _AFTER
    if operator == ">":
        return prefix + low + _AFTER, prefix + _AFTER
    if operator == ">=":
        return prefix + low, prefix + _AFTER
    if operator == "BETWEEN":
        return prefix + low, prefix + high + _AFTER
    if operator == "begins_with":
        # Without its terminator, the encoding of a text begins that of every longer one.
        begin = prefix + low[:-1]
        return begin, successor(begin)
    raise ValueError(f"no condition on a sort key: {operator}")


def within(prefix: bytes) -> tuple[bytes, bytes]:
    """Return the range of the keys (begin, end) that begin with complete values."""
    return prefix, prefix + _AFTER


def after(key: bytes) -> bytes:
    """Return the first key after a complete one, and after all that begin with it."""
    return key + _AFTER
