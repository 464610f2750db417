"""Clusters: finding them by what requests say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.aws.records import Records
from cloudlet.core.background.retention import delete_expired
from cloudlet.services.ecs import arns, errors, instance_events, instances
from cloudlet.services.ecs.cluster_record import Cluster

if TYPE_CHECKING:
    from cloudlet.core.kernel.block import Block

DEFAULT: Final = "default"
_DELETED: Final = Subspace("cluster-deleted")
_KEPT_SECONDS: Final = 3600.0
_LOOK_SECONDS: Final = 60.0

_clusters = Records(Subspace("cluster"), Cluster, lambda name: errors.ClusterNotFound())
decode, get_space, save, remove = _clusters.decode, _clusters.get_space, _clusters.save, _clusters.remove


def delete(tx: Transaction, cluster: Cluster, now: float) -> Cluster:
    """Make a cluster inactive, which is forgotten after a while; return it."""
    gone = replace(cluster, status="INACTIVE", capacity_providers=[], default_strategy=[])
    save(tx, gone)
    tx.put(_DELETED.key(int(now), *gone.key), b"")
    tags.save(tx, gone.arn, {})
    instances.forget(tx, gone)
    instance_events.request(tx, *gone.key)
    return gone


async def forget_deleted(block: Block) -> None:
    """Forget clusters some time after they were deleted, until the block ends."""

    async def forget(tx: Transaction, row: bytes) -> None:
        _, *key = _DELETED.unpack(row)
        found = await _clusters.find(tx, *key)
        if found is not None and not found.is_active:
            remove(tx, found)

    await delete_expired(block, _DELETED, _KEPT_SECONDS, forget, every=_LOOK_SECONDS)


async def find(tx: Transaction, account: str, region: str, reference: str | None) -> Cluster | None:
    """Return a cluster, active or not, by its name or ARN.

    Without one it is the default one.
    """
    names = arns.parse_names("cluster", reference or DEFAULT, account, region)
    return await _clusters.find(tx, account, region, names[0]) if len(names) == 1 else None


async def get(tx: Transaction, account: str, region: str, reference: str | None) -> Cluster:
    """Return an active cluster as `find` does. Raises ClusterNotFoundException."""
    found = await find(tx, account, region, reference)
    if found is None or not found.is_active:
        raise errors.ClusterNotFound
    return found
