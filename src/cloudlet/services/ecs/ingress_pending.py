"""Deployments that wait until the load balancers are there that ECS makes for them."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.services.ecs import deployment_start, deployment_states, service_history
from cloudlet.services.ecs.connect_record import Connect
from cloudlet.services.ecs.service_record import Revision, Service

_PENDING: Final = Subspace("ingress-pending")
_Key = tuple[str, str, str, str]


class Pending(msgspec.Struct, frozen=True):
    """A deployment that has not begun."""

    revision: str
    """The id that its revision is going to have."""
    members: dict[str, Any]
    created: float
    operation: str
    """The id of the service deployment, which is `PENDING`."""
    connect: Connect | None = None


_encode = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Pending).decode


async def find(tx: Transaction, key: _Key) -> Pending | None:
    """Return the deployment of a service that waits, or None."""
    raw = await tx.get(_PENDING.key(*key))
    return None if raw is None else _decode(raw)


async def find_revision(tx: Transaction, key: _Key, id: str) -> Revision | None:
    """Return the revision of the deployment that waits, by its id, or None."""
    pending = await find(tx, key)
    return Revision(id, pending.created, pending.members) if pending is not None and pending.revision == id else None


async def add(
    tx: Transaction, service: Service, members: dict[str, Any], now: float, connect: Connect | None = None
) -> Pending:
    """Have a deployment of a service wait; one that waited before is given up."""
    await remove(tx, service.key, now)
    operation = deployment_start.plan(service, deployment_start.make_revision_id(), now)
    service_history.save_deployment(tx, service.key, operation)
    made = Pending(operation.target, members, now, operation.id, connect)
    tx.put(_PENDING.key(*service.key), _encode(made))
    return made


async def remove(tx: Transaction, key: _Key, now: float) -> None:
    """Give up the deployment of a service that waits, if any does."""
    known = await find(tx, key)
    if known is None:
        return
    forget(tx, key)
    operation = await service_history.find_deployment(tx, key, known.operation)
    if operation is not None:
        reason = "Service deployment was superseded by a newer one."
        stopped = replace(
            operation, status=deployment_states.STOPPED, reason=reason, stopped=now, finished=now, updated=now
        )
        service_history.save_deployment(tx, key, stopped)


def forget(tx: Transaction, key: _Key) -> None:
    """Forget the deployment of a service that waits."""
    tx.delete(_PENDING.key(*key))
