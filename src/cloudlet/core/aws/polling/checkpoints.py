"""How far pollers have come in the shards of their streams."""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction

_POSITIONS = Subspace("position")


class Checkpoint(msgspec.Struct, frozen=True, array_like=True):
    """What is done of a shard."""

    sequence: str = ""
    """The sequence number of the last record that is done; empty where none is."""
    ended: bool = False
    """Whether the whole shard is done, and has no further records."""
    kept: bytes = b""
    """What the poller keeps with it."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Checkpoint).decode


async def get(tx: Transaction, poller: str, shard: str) -> Checkpoint | None:
    """Return the position in a shard of a poller with an id, None where it has not begun with it."""
    raw = await tx.get(_POSITIONS.key(poller, shard))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, poller: str, shard: str, position: Checkpoint) -> None:
    """Keep a position."""
    tx.put(_POSITIONS.key(poller, shard), _encode(position))


def forget(tx: Transaction, poller: str, shard: str) -> None:
    """Forget a shard that has passed away."""
    tx.delete(_POSITIONS.key(poller, shard))


def forget_all(tx: Transaction, poller: str) -> None:
    """Forget all shards of a poller that is gone."""
    space = _POSITIONS.sub(poller)
    tx.delete_range(space.begin, space.end)


async def shards(tx: Transaction, poller: str, most: int) -> list[str]:
    """Return shards that a poller has a position in."""
    space = _POSITIONS.sub(poller)
    return [space.unpack(key)[0] for key, _ in await tx.range(space.begin, space.end, limit=most)]
