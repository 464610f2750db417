"""An item as it is stored: the size that it counts for, and its JSON exactly as the JSON protocol answers it.

So what a read answers without looking into it is put into the response as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from cloudlet.core import Context
from cloudlet.services.dynamodb.item_data import item_json
from cloudlet.services.dynamodb.item_data.values import Item, item_size

_SIZE_BYTES: Final = 4


def stored(item: Item) -> bytes:
    """Return the stored form of a checked item."""
    return item_size(item).to_bytes(_SIZE_BYTES, "big") + item_json.encode(item)


def joined(parts: list[bytes]) -> bytes:
    """Return the stored form of an item, given that of items that have some of its attributes each."""
    size = sum([size_of(part) for part in parts])
    return size.to_bytes(_SIZE_BYTES, "big") + b"{" + b",".join([part[_SIZE_BYTES + 1 : -1] for part in parts]) + b"}"


def size_of(raw: bytes) -> int:
    """Return the bytes that a stored item counts for (Developer Guide, "Item sizes and formats")."""
    return int.from_bytes(raw[:_SIZE_BYTES], "big")


def item_of(raw: bytes) -> Item:
    """Return a stored item."""
    item: Any = item_json.decode(memoryview(raw)[_SIZE_BYTES:])
    return item  # type: ignore[no-any-return]


def json_of(raw: bytes) -> bytes:
    """Return the JSON of a stored item."""
    return raw[_SIZE_BYTES:]


def to_api(ctx: Context, raw: bytes) -> Any:
    """Return a stored item as an answer carries it: undecoded where it goes out as JSON."""
    return msgspec.Raw(raw[_SIZE_BYTES:]) if ctx.protocol == "json" else item_of(raw)


def all_shown(ctx: Context, rows: Iterable[bytes]) -> list[Any]:
    """Return stored items as an answer carries them."""
    if ctx.protocol == "json":
        return [msgspec.Raw(raw[_SIZE_BYTES:]) for raw in rows]
    return [item_of(raw) for raw in rows]
