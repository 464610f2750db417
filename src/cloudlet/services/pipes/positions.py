"""How far pipes have come in the shards of their streams."""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.pipes.pipe import Pipe

_POSITIONS = Subspace("position")


class Position(msgspec.Struct, frozen=True, array_like=True):
    """What is done of a shard."""

    sequence: str = ""
    """The sequence number of the last record that is done; empty where none is."""
    ended: bool = False
    """Whether the whole shard is done, and has no further records."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Position).decode


async def get(tx: Transaction, pipe: Pipe, shard: str) -> Position | None:
    """Return a pipe's position in a shard, None where it has not begun with it."""
    raw = await tx.get(_POSITIONS.key(pipe.id, shard))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, pipe: Pipe, shard: str, position: Position) -> None:
    tx.put(_POSITIONS.key(pipe.id, shard), _encode(position))


def forget(tx: Transaction, pipe: Pipe, shard: str) -> None:
    """Forget a shard that has passed away."""
    tx.delete(_POSITIONS.key(pipe.id, shard))


def forget_all(tx: Transaction, pipe: Pipe) -> None:
    """Forget all about a pipe that is deleted."""
    space = _POSITIONS.sub(pipe.id)
    tx.delete_range(space.begin, space.end)


async def shards(tx: Transaction, pipe: Pipe, count: int) -> list[str]:
    """Return the shards in which a pipe has a position, up to `count`."""
    space = _POSITIONS.sub(pipe.id)
    return [str(_POSITIONS.unpack(key)[1]) for key, _ in await tx.range(space.begin, space.end, limit=count)]
