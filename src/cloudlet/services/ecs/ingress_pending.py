"""Deployments that wait until the load balancers are there that ECS makes for them."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.services.ecs.connect_record import Connect

_PENDING: Final = Subspace("ingress-pending")
_Key = tuple[str, str, str, str]


class Pending(msgspec.Struct, frozen=True):
    """A deployment that has not begun."""

    revision: str
    """The id that its revision is going to have."""
    members: dict[str, Any]
    created: float
    connect: Connect | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Pending).decode


async def find(tx: Transaction, key: _Key) -> Pending | None:
    """Return the deployment of a service that waits, or None."""
    raw = await tx.get(_PENDING.key(*key))
    return None if raw is None else _decode(raw)


def save(tx: Transaction, key: _Key, pending: Pending) -> None:
    """Write a deployment that waits; one that waited before is given up."""
    tx.put(_PENDING.key(*key), _encode(pending))


def remove(tx: Transaction, key: _Key) -> None:
    """Forget the deployment of a service that waits."""
    tx.delete(_PENDING.key(*key))
