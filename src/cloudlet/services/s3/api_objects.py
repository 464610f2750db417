"""The operations of S3 on objects: check, decide, answer."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets import bucket
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import events
from cloudlet.services.s3.object_data import (
    attributes,
    copying,
    deleting,
    multipart,
    putting,
    reading,
    tag_sets,
    tagging,
    upload,
    versions,
)
from cloudlet.services.s3.object_data.objects import Lock, Version
from cloudlet.services.s3.permissions import access, encryption_update
from cloudlet.services.s3.retention import archive, locks, restoring


@service.direct("PutObject")
async def put_object(ctx: Context, params: Params) -> Result | FinalTransaction:
    writing = await putting.begun(ctx, params)
    return await upload.keep(ctx, [writing.blob], writing.store) if writing.blob else FinalTransaction(writing.store)


@service.operation("GetObject")
async def get_object(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await reading.read_object(ctx, tx, params, with_body=True)


@service.operation("HeadObject")
async def head_object(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await reading.read_object(ctx, tx, params, with_body=False)


@service.operation("GetObjectAttributes")
async def get_object_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await attributes.of_object(ctx, tx, params)


@service.direct("CopyObject")
async def copy_object(ctx: Context, params: Params) -> Result:
    return await copying.copy_object(ctx, params)


@service.operation("DeleteObject")
async def delete_object(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await deleting.delete_object(ctx, tx, params)


@service.direct("DeleteObjects")
async def delete_objects(ctx: Context, params: Params) -> Result:
    return await deleting.delete_objects(ctx, params)


# -- multipart uploads

service.operation("CreateMultipartUpload")(multipart.create)
service.direct("UploadPart")(multipart.upload_part)
service.direct("UploadPartCopy")(copying.upload_part_copy)
service.operation("ListParts")(multipart.list_parts)
service.operation("AbortMultipartUpload")(multipart.abort)
service.operation("CompleteMultipartUpload")(multipart.complete)


# -- what can be changed of a version


async def _found(
    ctx: Context, tx: Transaction, params: Params, action: str, versioned_action: str
) -> tuple[Bucket, Version]:
    found = await get_bucket(ctx, tx, params["Bucket"])
    return found, await reading.found(ctx, tx, found, params, action, versioned_action)


async def _change(
    ctx: Context, tx: Transaction, where: Bucket, params: Params, event: str, version: Version
) -> dict[str, Any]:
    """Write a changed version and tell of it; return its VersionId."""
    await versions.rewrite(tx, where, params["Key"], version)
    await events.note(ctx.block, tx, where, event, params["Key"], version, ctx=ctx)
    return putting.version_of(where, version)


@service.operation("PutObjectTagging")
async def put_object_tagging(ctx: Context, tx: Transaction, params: Params) -> Result:
    tags = tagging.from_document(params["Tagging"]["TagSet"])
    where, version = await _found(ctx, tx, params, "s3:PutObjectTagging", "s3:PutObjectVersionTagging")
    return await _change(ctx, tx, where, params, "ObjectTagging:Put", msgspec.structs.replace(version, tags=tags))


@service.operation("GetObjectTagging")
async def get_object_tagging(ctx: Context, tx: Transaction, params: Params) -> Result:
    where, version = await _found(ctx, tx, params, "s3:GetObjectTagging", "s3:GetObjectVersionTagging")
    return {"TagSet": tag_sets.to_api(version.tags), **putting.version_of(where, version)}


@service.operation("DeleteObjectTagging")
async def delete_object_tagging(ctx: Context, tx: Transaction, params: Params) -> Result:
    where, version = await _found(ctx, tx, params, "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging")
    return await _change(ctx, tx, where, params, "ObjectTagging:Delete", msgspec.structs.replace(version, tags={}))


@service.operation("RestoreObject")
async def restore_object(ctx: Context, tx: Transaction, params: Params) -> Result:
    where, version = await _found(ctx, tx, params, "s3:RestoreObject", "s3:RestoreObject")
    restore, was_there = archive.restored(version, params.get("RestoreRequest") or {}, ctx.now())
    changed = msgspec.structs.replace(version, restore=restore)
    await _change(ctx, tx, where, params, "ObjectRestore:Post", changed)
    restoring.schedule(tx, where, params["Key"], restore, version.id, ctx.now())
    ctx.response_status = 200 if was_there else 202
    return None


service.direct("UpdateObjectEncryption")(encryption_update.update)


# -- Object Lock


@service.operation("PutObjectLockConfiguration")
async def put_object_lock_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    where = await access.bucket_for(ctx, tx, params, "s3:PutBucketObjectLockConfiguration")
    document = params.get("ObjectLockConfiguration")
    if document is None:
        raise errors.missing_body()
    locks.refuse_token(params)
    locks.check_configuration(document)
    if where.versioning != "Enabled":
        raise AwsError(
            "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
            status=409,
        )
    changed = bucket.put_configuration(tx, where, locks.KIND, document)
    bucket.store_bucket(tx, msgspec.structs.replace(changed, locks=True))
    return None


@service.operation("GetObjectLockConfiguration")
async def get_object_lock_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    where = await access.bucket_for(ctx, tx, params, "s3:GetBucketObjectLockConfiguration")
    if not where.locks:
        message = "Object Lock configuration does not exist for this bucket"
        raise errors.make_missing_configuration_error("ObjectLockConfigurationNotFoundError", message, where.name)
    document = await bucket.configuration(tx, where, locks.KIND)
    return {"ObjectLockConfiguration": document or {"ObjectLockEnabled": "Enabled"}}


async def _lockable(ctx: Context, tx: Transaction, params: Params, action: str) -> tuple[Bucket, Version]:
    where, version = await _found(ctx, tx, params, action, action)
    if not where.locks:
        raise errors.invalid_request("Bucket is missing Object Lock Configuration")
    return where, version


@service.operation("PutObjectRetention")
async def put_object_retention(ctx: Context, tx: Transaction, params: Params) -> Result:
    if "Retention" not in params:
        raise errors.missing_body()
    where, version = await _lockable(ctx, tx, params, "s3:PutObjectRetention")
    lock = await locks.with_retention(
        ctx,
        tx,
        where,
        params["Key"],
        version,
        params["Retention"],
        bypass=bool(params.get("BypassGovernanceRetention")),
    )
    await _change(ctx, tx, where, params, "ObjectRetention:Put", msgspec.structs.replace(version, lock=lock))
    return None


@service.operation("GetObjectRetention")
async def get_object_retention(ctx: Context, tx: Transaction, params: Params) -> Result:
    _, version = await _lockable(ctx, tx, params, "s3:GetObjectRetention")
    if version.lock is None or not version.lock.mode:
        raise _no_lock(params)
    return {"Retention": {"Mode": version.lock.mode, "RetainUntilDate": version.lock.until / 1000}}


@service.operation("PutObjectLegalHold")
async def put_object_legal_hold(ctx: Context, tx: Transaction, params: Params) -> Result:
    if "LegalHold" not in params:
        raise errors.missing_body()
    where, version = await _lockable(ctx, tx, params, "s3:PutObjectLegalHold")
    hold = params["LegalHold"].get("Status")
    if hold not in ("ON", "OFF"):
        raise errors.malformed_xml()
    lock = msgspec.structs.replace(version.lock or Lock(), hold=hold)
    await _change(ctx, tx, where, params, "ObjectLock:Put", msgspec.structs.replace(version, lock=lock))
    return None


@service.operation("GetObjectLegalHold")
async def get_object_legal_hold(ctx: Context, tx: Transaction, params: Params) -> Result:
    _, version = await _lockable(ctx, tx, params, "s3:GetObjectLegalHold")
    if version.lock is None or not version.lock.hold:
        raise _no_lock(params)
    return {"LegalHold": {"Status": version.lock.hold}}


def _no_lock(params: Params) -> AwsError:
    return AwsError(
        "NoSuchObjectLockConfiguration",
        "The specified object does not have a ObjectLock configuration",
        status=404,
        Key=params["Key"],
    )
