"""Services: written, found and counted."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.retention import delete_expired
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecs import arns, errors
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.service_record import ACTIVE, INACTIVE, Service, StoppedTask
from cloudlet.services.ecs.task_record import Task

_SERVICES: Final = Subspace("service")
_STOPPED: Final = Subspace("service-stopped-task")
_DELETED: Final = Subspace("service-deleted")
_KEPT_SECONDS: Final = 3600.0
_LOOK_SECONDS: Final = 60.0
_PAGE: Final = 100
_encode = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.Decoder(Service).decode
_decode_stopped: Final = msgspec.msgpack.Decoder(StoppedTask).decode


def get_space(account: str, region: str, cluster: str) -> Subspace:
    """Return the subspace of the services of a cluster, by name."""
    return _SERVICES.sub(account, region, cluster)


def get_region_space(account: str, region: str) -> Subspace:
    """Return the subspace of all services of an account in a region."""
    return _SERVICES.sub(account, region)


async def find(tx: Transaction, account: str, region: str, cluster: str, name: str) -> Service | None:
    """Return a service, active or not, or None."""
    raw = await tx.get(_SERVICES.key(account, region, cluster, name))
    return None if raw is None else decode(raw)


async def find_by_reference(tx: Transaction, cluster: Cluster, reference: str) -> Service | None:
    """Return a service of a cluster by its name or ARN. Those in the old format have no cluster's name."""
    names = arns.parse_names("service", reference, cluster.account, cluster.region)
    if not names or len(names) > 2 or (len(names) == 2 and names[0] != cluster.name):
        return None
    return await find(tx, cluster.account, cluster.region, cluster.name, names[-1])


async def get_active(tx: Transaction, cluster: Cluster, reference: str) -> Service:
    """Return an active service of a cluster. Raises ServiceNotFoundException or ServiceNotActiveException."""
    found = await find_by_reference(tx, cluster, reference)
    if found is None:
        raise errors.ServiceNotFound
    if found.status != ACTIVE:
        raise errors.ServiceNotActive
    return found


def save(tx: Transaction, service: Service) -> None:
    """Write a service."""
    tx.put(_SERVICES.key(*service.key), _encode(service))


async def list_services(tx: Transaction, space: Subspace) -> list[Service]:
    """Return all services of a subspace that are not deleted."""
    found: list[Service] = []
    begin = space.begin
    while rows := await tx.range(begin, space.end, limit=_PAGE):
        found += [service for _, raw in rows if (service := decode(raw)).status != INACTIVE]
        begin = rows[-1][0] + b"\x00"
    return found


async def count_services(tx: Transaction, cluster: Cluster) -> Counter[tuple[str, str]]:
    """Return how many services a cluster has, by launch type and status."""
    found = await list_services(tx, get_space(cluster.account, cluster.region, cluster.name))
    return Counter((_get_launch_type(service), service.status) for service in found)


def _get_launch_type(service: Service) -> str:
    return "EC2" if service.revision is None else service.revision.choice.kind


async def has_active(tx: Transaction, cluster: Cluster) -> bool:
    """Whether a cluster has services that are active."""
    found = await list_services(tx, get_space(cluster.account, cluster.region, cluster.name))
    return any(service.status == ACTIVE for service in found)


async def has_provider(tx: Transaction, cluster: Cluster, provider: str) -> bool:
    """Whether services of a cluster use a capacity provider."""
    found = await list_services(tx, get_space(cluster.account, cluster.region, cluster.name))
    return any(
        each["capacityProvider"] == provider
        for service in found
        if service.revision is not None
        for each in service.revision.choice.strategy
    )


async def has_definition(tx: Transaction, account: str, region: str, arn: str) -> bool:
    """Whether services of an account run a task definition."""
    found = await list_services(tx, get_region_space(account, region))
    return any(each.revision.members["taskDefinition"] == arn for service in found for each in service.starters)


def note_stopped(tx: Transaction, task: Task) -> None:
    """Note that a task of a service has stopped, for its scheduler."""
    stopped = StoppedTask(task.id, task.started_by, task.stop_code, task.stopped_reason)
    key = (task.account, task.region, task.cluster, task.service, task.id)
    tx.put(_STOPPED.key(*key), _encode(stopped))


async def take_stopped(tx: Transaction, service: Service) -> list[StoppedTask]:
    """Return tasks of a service that have stopped, each once.

    Where there are many, others are left for the next time.
    """
    space = _STOPPED.sub(*service.key)
    rows = await tx.range(space.begin, space.end, limit=_PAGE)
    for key, _ in rows:
        tx.delete(key)
    return [_decode_stopped(raw) for _, raw in rows]


def note_deleted(tx: Transaction, service: Service, now: float) -> None:
    """Have a service that was deleted forgotten after some time."""
    tx.put(_DELETED.key(int(now), *service.key), b"")


async def forget_deleted(block: Block) -> None:
    """Forget services some time after they were deleted, until the block ends."""

    async def delete(tx: Transaction, row: bytes) -> None:
        from cloudlet.services.ecs import express_record, ingress_pending, service_history

        _, *key = _DELETED.unpack(row)
        found = await find(tx, *key)
        if found is not None and found.status == INACTIVE:
            tx.delete(_SERVICES.key(*key))
            service_history.remove(tx, found.key)
            express_record.remove(tx, found.key)
            ingress_pending.forget(tx, found.key)

    await delete_expired(block, _DELETED, _KEPT_SECONDS, delete, every=_LOOK_SECONDS)
