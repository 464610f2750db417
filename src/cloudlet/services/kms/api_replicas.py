"""The operations on multi-Region keys, which share their id and material."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.kms import (
    access,
    describing,
    due,
    errors,
    key_state,
    keys,
    materials,
    policies,
    tagging,
)
from cloudlet.services.kms.block import service
from cloudlet.services.kms.key_record import Key, Material, make_key_arn


@service.operation("ReplicateKey")
async def replicate_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Create a related key in another region.

    Material that was imported is to be imported there as well.
    """
    region, bypasses_check = params["ReplicaRegion"], bool(params.get("BypassPolicyLockoutSafetyCheck"))
    conditions = {"kms:ReplicaRegion": region}
    key = await access.get_key(ctx, tx, params["KeyId"], "ReplicateKey", conditions)
    if not key.regions or key.is_replica:
        raise errors.UnsupportedOperation(f"{key.arn} is not a multi-Region primary key.")
    if partition_of(region) != partition_of(ctx.region):
        raise errors.UnsupportedOperation(f"The region {region} is in another partition.")
    arn = make_key_arn(key.account, region, key.name)
    if region in key.regions:
        raise AwsError("AlreadyExistsException", f"Replica key {arn} already exists.")
    for action in ("CreateKey", *(("TagResource",) if params.get("Tags") else ())):
        access.check_account(ctx, action, conditions=tagging.list_request_keys(params.get("Tags")))
    policy = params.get("Policy") or policies.make_default(ctx.account, region)
    policies.validate(ctx, arn, policy, bypasses_check=bypasses_check)
    primary = replace(key, regions=(*key.regions, region))
    replica = replace(
        primary,
        region=region,
        policy=policy,
        created=ctx.now(),
        description=params.get("Description") or "",
        tags=tagging.merge({}, params.get("Tags")),
        materials=tuple(_replicate(ctx, key, each, region) for each in key.materials),
        state=key_state.PENDING_IMPORT if key.is_imported else key_state.ENABLED,
    )
    keys.save(tx, replica)
    await keys.save_shared(tx, primary)
    return {
        "ReplicaKeyMetadata": describing.to_api(replica),
        "ReplicaPolicy": policy,
        "ReplicaTags": tagging.to_api(replica.tags),
    }


def _replicate(ctx: Context, key: Key, material: Material, region: str) -> Material:
    if key.is_imported:
        return replace(material, secret=b"", valid_to=None)
    return materials.replicate(ctx.block, key, material, region)


@service.operation("UpdatePrimaryRegion")
async def update_primary_region(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Make a replica the primary key, and the primary key a replica."""
    region = params["PrimaryRegion"]
    conditions = {"kms:PrimaryRegion": region}
    key = await access.get_key(ctx, tx, params["KeyId"], "UpdatePrimaryRegion", conditions)
    if not key.regions or key.is_replica:
        raise errors.UnsupportedOperation(f"{key.arn} is not a multi-Region primary key.")
    if region == key.region:
        raise errors.UnsupportedOperation(f"{key.arn} is the primary key already.")
    replica = await keys.find(tx, key.account, region, key.name)
    if replica is None:
        raise errors.KeyNotFound(make_key_arn(key.account, region, key.name))
    await access.check(ctx, tx, replica, "UpdatePrimaryRegion", conditions)
    key_state.check_state(replica, "UpdatePrimaryRegion")
    if key.next_rotation is not None:
        due.unschedule(tx, "rotate", key.next_rotation, key.account, key.region, key.name)
        due.schedule(tx, "rotate", key.next_rotation, key.account, region, key.name)
    await keys.save_shared(tx, replace(key, primary_region=region))
    return {}
