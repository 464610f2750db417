"""How far mappings have come in the shards of their streams."""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.lambda_.mapping import Mapping

_POSITIONS = Subspace("position")


class Position(msgspec.Struct, frozen=True, array_like=True):
    """What is done of a shard."""

    sequence: str = ""
    """The sequence number of the last record that is done; empty where none is."""
    ended: bool = False
    """Whether the whole shard is done, and has no further records."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Position).decode


async def get(tx: Transaction, mapping: Mapping, shard: str) -> Position | None:
    """Return a mapping's position in a shard, None where it has not begun with it."""
    raw = await tx.get(_POSITIONS.key(mapping.id, shard))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, mapping: Mapping, shard: str, position: Position) -> None:
    """Keep a position."""
    tx.put(_POSITIONS.key(mapping.id, shard), _encode(position))


def forget(tx: Transaction, mapping: Mapping, shard: str) -> None:
    """Forget a shard that has passed away."""
    tx.delete(_POSITIONS.key(mapping.id, shard))


def forget_all(tx: Transaction, mapping: Mapping) -> None:
    """Forget all shards of a mapping."""
    space = _POSITIONS.sub(mapping.id)
    tx.delete_range(space.begin, space.end)


async def shards(tx: Transaction, mapping: Mapping, most: int) -> list[str]:
    """Return shards that a mapping has a position in."""
    space = _POSITIONS.sub(mapping.id)
    return [space.unpack(key)[0] for key, _ in await tx.range(space.begin, space.end, limit=most)]
