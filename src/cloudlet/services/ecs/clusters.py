"""Clusters: finding them by what requests say."""

from __future__ import annotations

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.services.ecs import arns, errors
from cloudlet.services.ecs.cluster_record import Cluster

DEFAULT = "default"

_clusters = Records(Subspace("cluster"), Cluster, lambda name: errors.ClusterNotFound())
decode, find, get_space, save, remove = (
    _clusters.decode,
    _clusters.find,
    _clusters.get_space,
    _clusters.save,
    _clusters.remove,
)


async def get(ctx: Context, tx: Transaction, reference: str | None) -> Cluster:
    """Return an active cluster of the caller's by its name or ARN, without one the default one.

    Raises ClusterNotFoundException.
    """
    names = arns.parse_names("cluster", reference or DEFAULT)
    found = await find(tx, ctx.account, ctx.region, names[0]) if len(names) == 1 else None
    if found is None or not found.is_active:
        raise errors.ClusterNotFound
    return found
