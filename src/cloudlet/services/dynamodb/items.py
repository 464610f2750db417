"""An item as it is stored: the size that it counts for, and its JSON exactly as the JSON protocol answers it.

So what a read answers without looking into it is put into the response as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict

import msgspec

from cloudlet.core import Context
from cloudlet.services.dynamodb.values import Item, item_size


class AttributeValue(TypedDict, total=False):
    """An attribute value: one of these."""

    S: str
    N: str
    B: bytes
    SS: list[str]
    NS: list[str]
    BS: list[bytes]
    M: dict[str, AttributeValue]
    L: list[AttributeValue]
    BOOL: bool
    NULL: bool


_SIZE_BYTES = 4
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, AttributeValue]).decode


def stored(item: Item) -> bytes:
    """Return the stored form of a checked item."""
    return item_size(item).to_bytes(_SIZE_BYTES, "big") + _encode(item)


def size_of(raw: bytes) -> int:
    """Return the bytes that a stored item counts for (Developer Guide, "Item sizes and formats")."""
    return int.from_bytes(raw[:_SIZE_BYTES], "big")


def item_of(raw: bytes) -> Item:
    """Return a stored item."""
    item: Any = _decode(memoryview(raw)[_SIZE_BYTES:])
    return item  # type: ignore[no-any-return]


def json_of(raw: bytes) -> bytes:
    """Return the JSON of a stored item."""
    return raw[_SIZE_BYTES:]


def shown(ctx: Context, raw: bytes) -> Any:
    """Return a stored item as an answer carries it: undecoded where it goes out as JSON."""
    return msgspec.Raw(raw[_SIZE_BYTES:]) if ctx.protocol == "json" else item_of(raw)


def all_shown(ctx: Context, rows: Iterable[bytes]) -> list[Any]:
    """Return stored items as an answer carries them."""
    if ctx.protocol == "json":
        return [msgspec.Raw(raw[_SIZE_BYTES:]) for raw in rows]
    return [item_of(raw) for raw in rows]
