"""UpdateObjectEncryption: another encryption for a version that is there, its bytes and all else left as they are.

API reference, "UpdateObjectEncryption", which has the words of the errors; user guide, "Updating server-side encryption
for existing data". Nothing is notified of it and it is not replicated: neither has an event for it.
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import reading, versions
from cloudlet.services.s3.object_data.objects import Encryption, Version
from cloudlet.services.s3.retention import locks

_ACTION = "s3:UpdateObjectEncryption"
_SUPPORTED = ("AES256", "aws:kms")


async def update(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Answer UpdateObjectEncryption."""
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
    await versions.rewrite(tx, bucket, params["Key"], msgspec.structs.replace(version, encryption=after))
    return None


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
