"""The operations on replicas of secrets."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.secretsmanager import deletion, errors, replication, secret
from cloudlet.services.secretsmanager.access import open_secret
from cloudlet.services.secretsmanager.block import service
from cloudlet.services.secretsmanager.regions import read_regions
from cloudlet.services.secretsmanager.replication import IN_SYNC


@service.direct("ReplicateSecretToRegions")
async def replicate_secret_to_regions(ctx: Context, params: Params) -> Result:
    overwrites = bool(params.get("ForceOverwriteReplicaSecret"))
    while True:
        primary = await ctx.transact(lambda tx: open_secret(ctx, tx, params, "ReplicateSecretToRegions"))
        regions = read_regions(primary, params["AddReplicaRegions"])
        for region in regions:
            if region in primary.replicas and primary.replicas[region].status == IN_SYNC:
                raise errors.InvalidParameter(f"The secret is already replicated to region {region}.")
        changed = await replication.replicate(ctx, primary, regions, overwrites=overwrites)
        if changed is not None:
            break
    statuses = await ctx.transact(lambda tx: replication.list_statuses(tx, changed))
    return {"ARN": changed.arn, "ReplicationStatus": statuses}


@service.operation("RemoveRegionsFromReplication")
async def remove_regions_from_replication(ctx: Context, tx: Transaction, params: Params) -> Result:
    before = await open_secret(ctx, tx, params, "RemoveRegionsFromReplication")
    replicas = dict(before.replicas)
    for region in params["RemoveReplicaRegions"]:
        if replicas.pop(region, None) is None:
            raise errors.InvalidParameter(f"The secret has no replica in region {region}.")
        there = await secret.find(tx, before.account, region, before.name)
        if there is not None and replication.is_replica_of(there, before):
            await deletion.delete(tx, there)
    after = replace(before, replicas=replicas)
    secret.save(tx, after, before)
    return {"ARN": after.arn, "ReplicationStatus": await replication.list_statuses(tx, after)}


@service.operation("StopReplicationToReplica")
async def stop_replication_to_replica(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Make a replica a secret of its own."""
    before = await open_secret(ctx, tx, params, "StopReplicationToReplica", admits_replica=True)
    if not before.primary_region:
        raise errors.InvalidRequest("The secret is not a replica: StopReplicationToReplica is for replicas.")
    primary = await secret.find(tx, before.account, before.primary_region, before.name)
    if primary is not None and replication.is_replica_of(before, primary):
        others = {region: each for region, each in primary.replicas.items() if region != before.region}
        secret.save(tx, replace(primary, replicas=others), primary)
    secret.save(tx, replace(before, primary_region="", changed=ctx.now()), before)
    return {"ARN": before.arn}
