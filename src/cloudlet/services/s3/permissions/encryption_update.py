"""UpdateObjectEncryption: another encryption for a version that is there, all else left as it is.

API reference, "UpdateObjectEncryption", which has the words of the errors; user guide, "Updating server-side encryption
for existing data". Nothing is notified of it and it is not replicated: neither has an event for it.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import annotating, contents, data_keys, reading, upload, versions
from cloudlet.services.s3.object_data.annotating import Carried
from cloudlet.services.s3.object_data.contents import ObjectData
from cloudlet.services.s3.object_data.objects import Encryption, Version
from cloudlet.services.s3.object_data.reencrypting import copy_annotations, reencrypt
from cloudlet.services.s3.retention import locks

_ACTION = "s3:UpdateObjectEncryption"
_SUPPORTED = ("AES256", "aws:kms")


class _Source(NamedTuple):
    """An object that is to be encrypted otherwise."""

    bucket: Bucket
    version: Version
    before: Encryption
    after: Encryption
    contents: ObjectData
    attached: list[Carried]


async def update(ctx: Context, params: Params) -> Result:
    """Answer UpdateObjectEncryption.

    What has a data key gets that under the other KMS key, and its bytes stay. What has none is encrypted now.
    """
    found = await ctx.transact(lambda tx: _find(ctx, tx, params))
    bucket, key = found.bucket, params["Key"]
    if found.before.data_key:
        after = await data_keys.reencrypt_key(ctx, bucket, key, found.before, found.after)
        return await ctx.transact(lambda tx: _store(ctx, tx, params, found, after))
    after, data_key = await data_keys.generate(ctx, bucket, key, found.after)
    encrypted = await reencrypt(ctx.block, found.version, found.contents, None, data_key, after.salt.hex())
    carried = await copy_annotations(ctx.block, found.attached, None, data_key)
    blobs = [*(part.blob for part in encrypted.parts), *annotating.blobs_of(carried)]
    return await upload.keep(ctx, blobs, lambda tx: _store(ctx, tx, params, found, after, (encrypted, carried)))


async def _find(ctx: Context, tx: Transaction, params: Params) -> _Source:
    """Return what is to be encrypted otherwise, if the caller may do that. Raises AwsError."""
    wanted = params["ObjectEncryption"].get("SSEKMS")
    if wanted is None:
        raise errors.invalid_request(
            "Requests that modify an object encryption configuration require a valid new encryption type. Valid values "
            "are SSEKMS. Modify the request to specify SSE-KMS for the updated encryption type, and then try again."
        )
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    version = await reading.found(ctx, tx, bucket, params, _ACTION, _ACTION)
    if ctx.principal.kind == "anonymous":
        raise errors.invalid_request(
            "Requests that modify an object encryption configuration require AWS Signature Version 4. Modify the "
            "request to use AWS Signature Version 4, and then try again."
        )
    before = _changeable(version, int(ctx.now() * 1000))
    _check_owner(bucket, wanted["KMSKeyArn"])
    after = Encryption("aws:kms", wanted["KMSKeyArn"], before.context, bool(wanted.get("BucketKeyEnabled")))
    where = await versions.where(tx, bucket, params["Key"], version)
    attached = await annotating.load_all(tx, bucket, where) if version.annotations else []
    stored = await contents.load(tx, bucket, params["Key"], version)
    return _Source(bucket, version, before, after, stored, attached)


async def _store(
    ctx: Context,
    tx: Transaction,
    params: Params,
    seen: _Source,
    after: Encryption,
    encrypted: tuple[ObjectData, list[Carried]] | None = None,
) -> Result:
    """Write the encryption, with what is encrypted by it. Raises AwsError for another version."""
    found = await _find(ctx, tx, params)
    if found.bucket.number != seen.bucket.number or found.version.id != seen.version.id or not _is_same(found, seen):
        raise AwsError(
            "OperationAborted",
            "A conflicting conditional operation is currently in progress against this resource. Please try again.",
            status=409,
        )
    version = msgspec.structs.replace(found.version, encryption=after)
    if encrypted is None:
        await versions.rewrite(tx, found.bucket, params["Key"], version)
        return None
    now, (data, carried) = int(ctx.now() * 1000), encrypted
    await versions.replace_contents(tx, found.bucket, params["Key"], version, data, now)
    if carried:
        where = await versions.where(tx, found.bucket, params["Key"], version)
        await annotating.replace_all(tx, found.bucket, where, carried, now)
    return None


def _is_same(found: _Source, seen: _Source) -> bool:
    """Whether the bytes, the annotations and their encryption are those that were looked at."""
    return (found.before, found.contents.data, found.contents.parts, found.attached) == (
        seen.before,
        seen.contents.data,
        seen.contents.parts,
        seen.attached,
    )


def _changeable(version: Version, now: int) -> Encryption:
    """Return the encryption of a version that may get another one. Raises AwsError; `now` is in milliseconds."""
    encryption = version.encryption
    if encryption is None:
        raise errors.invalid_request(
            "The UpdateObjectEncryption operation doesn't supported unencrypted source objects. Only source objects "
            "encrypted with SSE-S3 or SSE-KMS are supported."
        )
    if encryption.algorithm not in _SUPPORTED:
        raise errors.invalid_request(
            "The UpdateObjectEncryption operation doesn't support source objects with the encryption type DSSE-KMS or "
            "SSE-C. Only source objects encrypted with SSE-S3 or SSE-KMS are supported."
        )
    if locks.is_protected(version, now):
        raise errors.access_denied(
            "The encryption type for the specified object can\u2019t be updated because that object is protected by "
            "S3 Object Lock. If the object has a governance-mode retention period or a legal hold, you must first "
            "remove the Object Lock status on the object before you issue your UpdateObjectEncryption request. You "
            "can't use the UpdateObjectEncryption operation with objects that have an Object Lock compliance mode "
            "retention period applied to them."
        )
    return encryption


def _check_owner(bucket: Bucket, key_arn: str) -> None:
    if key_arn.split(":")[4] != bucket.account:
        raise errors.access_denied(
            "The AWS KMS key in the request must be owned by the same account as the bucket. Modify the request to "
            "specify a KMS key from the same account, and then try again."
        )
