"""The operations on buckets themselves: creating, listing and deleting them, and their versioning."""

from __future__ import annotations

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.authorization.system_tags import can_set as can_set_system_tags
from cloudlet.core.aws.arn import partition_of
from cloudlet.services.s3 import errors
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets import bucket_names, leftovers
from cloudlet.services.s3.buckets.bucket import (
    buckets_of,
    find_bucket,
    get_bucket,
    is_empty,
    next_number,
    put_configuration,
    remove_bucket,
    store_bucket,
)
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import continuation, tag_sets
from cloudlet.services.s3.permissions import access, acl, canonical_users
from cloudlet.services.s3.permissions.public_access import EVERYTHING_BLOCKED
from cloudlet.services.s3.reports import request_metrics
from cloudlet.services.s3.retention import lifecycle

_MOST_LISTED = 10_000


@service.operation("CreateBucket")
async def create_bucket(ctx: Context, tx: Transaction, params: Params) -> Result:
    _authorize_creation(ctx, params)
    name, wanted = params["Bucket"], params.get("CreateBucketConfiguration") or {}
    if wanted.get("Location") or wanted.get("Bucket"):
        raise errors.not_implemented("directory buckets")
    constraint = wanted.get("LocationConstraint")
    region = bucket_names.region_of(constraint, ctx.region)
    ownership = params.get("ObjectOwnership") or acl.ENFORCED
    if ownership not in acl.OWNERSHIPS:
        raise errors.invalid_argument("Invalid x-amz-object-ownership header", "x-amz-object-ownership", ownership)
    labels = tag_sets.checked_bucket_tags(wanted["Tags"]) if wanted.get("Tags") else {}
    if not can_set_system_tags(ctx):
        tag_sets.check_system_tags({}, labels)
    bucket_names.check_name(name)
    _check_namespace(ctx, params, region)
    grants = acl.for_new_bucket(ctx, params, ownership)
    existing = await find_bucket(tx, name)
    if existing is not None:
        return _created_again(ctx, tx, existing, grants)
    locks = bool(params.get("ObjectLockEnabledForBucket"))
    bucket = Bucket(
        number=await next_number(tx),
        name=name,
        account=ctx.account,
        region=region,
        created=int(ctx.now() * 1000),
        versioning="Enabled" if locks else "",
        locks=locks,
        acl=grants,
        ownership=ownership,
        public_access=EVERYTHING_BLOCKED,
        location=constraint if constraint not in (None, region) else "",
    )
    store_bucket(tx, bucket)
    if labels:
        put_configuration(tx, bucket, "tagging", labels)
    return _location(bucket)


def _authorize_creation(ctx: Context, params: Params) -> None:
    """Raise unless the caller may create such a bucket (API reference, "CreateBucket")."""
    arn = f"arn:{partition_of(ctx.region)}:s3:::{params['Bucket']}"
    actions = ["s3:CreateBucket"]
    if acl.is_asked(params) and params.get("ACL") != "private":
        actions.append("s3:PutBucketAcl")
    if params.get("ObjectLockEnabledForBucket"):
        actions += ["s3:PutBucketObjectLockConfiguration", "s3:PutBucketVersioning"]
    if params.get("ObjectOwnership"):
        actions.append("s3:PutBucketOwnershipControls")
    if (params.get("CreateBucketConfiguration") or {}).get("Tags"):
        actions.append("s3:TagResource")
    for action in actions:
        access.authorize_account(ctx, action, params, arn)


def _check_namespace(ctx: Context, params: Params, region: str) -> None:
    namespace = params.get("BucketNamespace")
    if namespace == "account-regional":
        bucket_names.check_account_name(params["Bucket"], ctx.account, region)
    elif namespace not in (None, "global"):
        raise errors.invalid_argument("Invalid x-amz-bucket-namespace header", "x-amz-bucket-namespace", namespace)


def _created_again(ctx: Context, tx: Transaction, bucket: Bucket, grants: acl.Acl | None) -> Result:
    """Answer who creates a bucket that there is: in us-east-1 its owner gets it, with its ACL anew."""
    if bucket.account != ctx.account:
        raise AwsError(
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            "Please select a different name and try again.",
            status=409,
            BucketName=bucket.name,
        )
    if ctx.region != bucket_names.DEFAULT_REGION or bucket.region != bucket_names.DEFAULT_REGION:
        raise AwsError(
            "BucketAlreadyOwnedByYou",
            "Your previous request to create the named bucket succeeded and you already own it.",
            status=409,
            BucketName=bucket.name,
        )
    store_bucket(tx, msgspec.structs.replace(bucket, acl=grants))
    return _location(bucket)


def _location(bucket: Bucket) -> Result:
    away = bucket.region != bucket_names.DEFAULT_REGION
    location = f"http://{bucket.name}.s3.amazonaws.com/" if away else f"/{bucket.name}"
    return {"Location": location, "BucketArn": bucket.arn}


@service.operation("DeleteBucket")
async def delete_bucket(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:DeleteBucket")
    if not await is_empty(tx, bucket):
        hint = " You must delete all versions in the bucket." if bucket.versioning else ""
        message = f"The bucket you tried to delete is not empty.{hint}"
        raise AwsError("BucketNotEmpty", message, status=409, BucketName=bucket.name)
    await leftovers.note(tx, bucket)
    lifecycle.forget(tx, bucket)
    remove_bucket(tx, bucket)
    if request_metrics.KIND in bucket.kinds:
        tx.notify(request_metrics.TOPIC)
    return None


@service.operation("HeadBucket")
async def head_bucket(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    try:
        await access.authorize(ctx, tx, bucket, "s3:ListBucket", params=params)
    except AwsError:
        # Where it is, is told to everybody.
        ctx.response_headers = (("x-amz-bucket-region", bucket.region),)
        raise
    ctx.response_headers = (("Content-Type", "application/xml"), *ctx.response_headers)
    return {"BucketRegion": bucket.region, "BucketArn": bucket.arn, "AccessPointAlias": False}


@service.operation("ListBuckets")
async def list_buckets(ctx: Context, tx: Transaction, params: Params) -> Result:
    access.authorize_account(ctx, "s3:ListAllMyBuckets", params)
    prefix, region = params.get("Prefix") or "", params.get("BucketRegion")
    limit = params.get("MaxBuckets")
    if limit is not None and not 1 <= limit <= _MOST_LISTED:
        raise errors.invalid_argument(
            "Argument max-buckets must be an integer between 1 and 10000", "max-buckets", limit
        )
    token = params.get("ContinuationToken")
    wanted, after = limit or _MOST_LISTED, "" if token is None else continuation.name_of(token)
    shown: list[Bucket] = []
    while len(shown) <= wanted:
        page = await buckets_of(tx, ctx.account, after, wanted + 1)
        shown += [each for each in page if each.name.startswith(prefix) and region in (None, "", each.region)]
        if len(page) <= wanted:
            break
        after = page[-1].name
    return {
        "Buckets": [
            {
                "Name": bucket.name,
                "CreationDate": bucket.created // 1000,
                "BucketArn": bucket.arn,
                # "If the request contains at least one valid parameter, it is included in the response."
                **({"BucketRegion": bucket.region} if params else {}),
            }
            for bucket in shown[:wanted]
        ],
        "Owner": canonical_users.owner(ctx.account),
        "ContinuationToken": continuation.token_of(shown[wanted - 1].name) if len(shown) > wanted else None,
        "Prefix": prefix or None,
    }


@service.operation("GetBucketLocation")
async def get_bucket_location(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetBucketLocation")
    region = "" if bucket.region == bucket_names.DEFAULT_REGION else bucket.region
    return {"LocationConstraint": bucket.location or region}


@service.operation("GetBucketVersioning")
async def get_bucket_versioning(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetBucketVersioning")
    return {"Status": bucket.versioning or None}


@service.operation("PutBucketVersioning")
async def put_bucket_versioning(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutBucketVersioning")
    wanted = params["VersioningConfiguration"]
    if wanted.get("MFADelete") == "Enabled" or "MFA" in params:
        raise errors.not_implemented("MFA delete: there are no MFA devices")
    status = wanted.get("Status")
    if status not in ("Enabled", "Suspended"):
        raise AwsError(
            "IllegalVersioningConfigurationException",
            "The Versioning element must be specified",
            status=400,
        )
    if status == "Suspended":
        _check_may_suspend(bucket)
    store_bucket(tx, msgspec.structs.replace(bucket, versioning=status))
    return None


def _check_may_suspend(bucket: Bucket) -> None:
    for holds, what in ((bucket.locks, "An Object Lock"), ("replication" in bucket.kinds, "A replication")):
        if holds:
            raise AwsError(
                "InvalidBucketState",
                f"{what} configuration is present on this bucket, so the versioning state cannot be changed.",
                status=409,
            )
