"""The operations on who may do what: policies, access control lists, ownership, blocked public access, ABAC."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.resource_policy import parse_policy
from cloudlet.services.s3 import errors
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets.bucket import (
    configuration,
    delete_configuration,
    get_bucket,
    put_configuration,
    store_bucket,
)
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import events
from cloudlet.services.s3.object_data import reading, versions
from cloudlet.services.s3.object_data.objects import Version
from cloudlet.services.s3.permissions import abac, access, acl, bucket_policy
from cloudlet.services.s3.permissions.public_access import PublicAccess

# -- the bucket's policy


async def _own_bucket(ctx: Context, tx: Transaction, params: Params, action: str) -> Bucket:
    """Return the bucket whose policy an operation is about: only its owner's account may have to do with that.

    API reference, "PutBucketPolicy": others are answered 405, also where they have the permission.
    """
    bucket = await access.bucket_for(ctx, tx, params, action)
    if ctx.strict and ctx.principal.account != bucket.account:
        raise errors.method_not_allowed(ctx.method, "BUCKETPOLICY")
    return bucket


@service.operation("PutBucketPolicy")
async def put_bucket_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await _own_bucket(ctx, tx, params, "s3:PutBucketPolicy")
    policy = bucket_policy.checked(params["Policy"], bucket.arn)
    blocked = bucket.public_access
    if blocked is not None and blocked.block_public_policy and bucket_policy.is_public(policy):
        raise errors.access_denied()
    changed = put_configuration(tx, bucket, "policy", params["Policy"])
    if not params.get("ConfirmRemoveSelfBucketAccess"):
        # Whoever locks himself out says that he means it.
        await access.authorize(ctx, tx, changed, "s3:PutBucketPolicy")
    ctx.response_status = 204
    return None


@service.operation("GetBucketPolicy")
async def get_bucket_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await _own_bucket(ctx, tx, params, "s3:GetBucketPolicy")
    return {"Policy": await _policy(tx, bucket)}


async def _policy(tx: Transaction, bucket: Bucket) -> str:
    text: str | None = await configuration(tx, bucket, "policy")
    if text is None:
        raise errors.make_missing_configuration_error(
            "NoSuchBucketPolicy", "The bucket policy does not exist", bucket.name
        )
    return text


@service.operation("DeleteBucketPolicy")
async def delete_bucket_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await _own_bucket(ctx, tx, params, "s3:DeleteBucketPolicy")
    delete_configuration(tx, bucket, "policy")
    return None


@service.operation("GetBucketPolicyStatus")
async def get_bucket_policy_status(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetBucketPolicyStatus")
    policy = parse_policy(await _policy(tx, bucket))
    return {"PolicyStatus": {"IsPublic": bucket_policy.is_public(policy)}}


# -- access control lists


@service.operation("PutBucketAcl")
async def put_bucket_acl(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutBucketAcl")
    changed = acl.changed(bucket, params, bucket.account, of_bucket=True)
    store_bucket(tx, msgspec.structs.replace(bucket, acl=changed))
    return None


@service.operation("GetBucketAcl")
async def get_bucket_acl(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetBucketAcl")
    return acl.to_api(acl.of_bucket(bucket))


async def _version(ctx: Context, tx: Transaction, params: Params, action: str) -> tuple[Bucket, Version]:
    """Return the object whose list an operation is about, if the caller may do this to it."""
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    version = await reading.found(ctx, tx, bucket, params, f"s3:{action}ObjectAcl", f"s3:{action}ObjectVersionAcl")
    return bucket, version


@service.operation("PutObjectAcl")
async def put_object_acl(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket, version = await _version(ctx, tx, params, "Put")
    owner = acl.object_owner(bucket, version.acl)
    changed = msgspec.structs.replace(version, acl=acl.changed(bucket, params, owner, of_bucket=False))
    await versions.rewrite(tx, bucket, params["Key"], changed)
    await events.note(ctx.block, tx, bucket, "ObjectAcl:Put", params["Key"], changed, ctx=ctx)
    return None


@service.operation("GetObjectAcl")
async def get_object_acl(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket, version = await _version(ctx, tx, params, "Get")
    return acl.to_api(acl.of_object(bucket, version.acl))


# -- object ownership


@service.operation("PutBucketOwnershipControls")
async def put_bucket_ownership_controls(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutBucketOwnershipControls")
    rules = (params["OwnershipControls"] or {}).get("Rules") or []
    if len(rules) != 1 or rules[0].get("ObjectOwnership") not in acl.OWNERSHIPS:
        raise errors.malformed_xml()
    ownership = rules[0]["ObjectOwnership"]
    if ownership == acl.ENFORCED and bucket.ownership != acl.ENFORCED and bucket.acl is not None:
        raise AwsError(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
            status=400,
        )
    store_bucket(tx, msgspec.structs.replace(bucket, ownership=ownership))
    return None


@service.operation("GetBucketOwnershipControls")
async def get_bucket_ownership_controls(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetBucketOwnershipControls")
    if not bucket.ownership:
        message = "The bucket ownership controls were not found"
        raise errors.make_missing_configuration_error("OwnershipControlsNotFoundError", message, bucket.name)
    return {"OwnershipControls": {"Rules": [{"ObjectOwnership": bucket.ownership}]}}


@service.operation("DeleteBucketOwnershipControls")
async def delete_bucket_ownership_controls(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutBucketOwnershipControls")
    store_bucket(tx, msgspec.structs.replace(bucket, ownership=""))
    return None


# -- blocked public access


@service.operation("PutPublicAccessBlock")
async def put_public_access_block(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutBucketPublicAccessBlock")
    wanted: dict[str, Any] = params["PublicAccessBlockConfiguration"] or {}
    blocked = PublicAccess(
        bool(wanted.get("BlockPublicAcls")),
        bool(wanted.get("IgnorePublicAcls")),
        bool(wanted.get("BlockPublicPolicy")),
        bool(wanted.get("RestrictPublicBuckets")),
    )
    store_bucket(tx, msgspec.structs.replace(bucket, public_access=blocked))
    return None


@service.operation("GetPublicAccessBlock")
async def get_public_access_block(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetBucketPublicAccessBlock")
    blocked = bucket.public_access
    if blocked is None:
        message = "The public access block configuration was not found"
        raise errors.make_missing_configuration_error("NoSuchPublicAccessBlockConfiguration", message, bucket.name)
    return {
        "PublicAccessBlockConfiguration": {
            "BlockPublicAcls": blocked.block_public_acls,
            "IgnorePublicAcls": blocked.ignore_public_acls,
            "BlockPublicPolicy": blocked.block_public_policy,
            "RestrictPublicBuckets": blocked.restrict_public_buckets,
        }
    }


@service.operation("DeletePublicAccessBlock")
async def delete_public_access_block(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutBucketPublicAccessBlock")
    store_bucket(tx, msgspec.structs.replace(bucket, public_access=None))
    return None


# -- attribute-based access control


@service.operation("PutBucketAbac")
async def put_bucket_abac(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutBucketAbac")
    status = params["AbacStatus"].get("Status")
    if status == "Enabled":
        put_configuration(tx, bucket, abac.KIND, {})
    elif status == "Disabled":
        delete_configuration(tx, bucket, abac.KIND)
    else:
        raise errors.malformed_xml()
    return None


@service.operation("GetBucketAbac")
async def get_bucket_abac(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetBucketAbac")
    return {"AbacStatus": {"Status": "Enabled" if abac.is_enabled(bucket) else "Disabled"}}
