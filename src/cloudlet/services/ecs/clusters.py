"""Clusters: finding them by what requests say."""

from __future__ import annotations

from cloudlet.core import Subspace, Transaction
from cloudlet.core.aws.records import Records
from cloudlet.services.ecs import arns, errors
from cloudlet.services.ecs.cluster_record import Cluster

DEFAULT = "default"

_clusters = Records(Subspace("cluster"), Cluster, lambda name: errors.ClusterNotFound())
decode, get_space, save, remove = _clusters.decode, _clusters.get_space, _clusters.save, _clusters.remove


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
