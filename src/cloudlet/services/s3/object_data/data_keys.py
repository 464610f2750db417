"""Data keys of objects under SSE-KMS and DSSE-KMS, by KMS.

KMS makes and decrypts them, for the caller.

S3 user guide, "Using server-side encryption with AWS KMS keys (SSE-KMS)", "Reducing the cost of SSE-KMS with Amazon S3
Bucket Keys". With an object is kept what KMS has encrypted; the key itself is in memory while a request needs it. A
bucket key is kept in memory for five minutes, for each requester by itself: within these KMS is not asked again.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from cloudlet.core import AwsError, Context, Params
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.core.kernel.per_block import PerBlock
from cloudlet.core.kernel.sized_cache import SizedCache
from cloudlet.services.s3 import errors
from cloudlet.services.s3.object_data.data_cipher import DataKey
from cloudlet.services.s3.permissions import access

if TYPE_CHECKING:
    from cloudlet.services.s3.buckets.bucket_record import Bucket
    from cloudlet.services.s3.object_data.objects import Encryption

_BUCKET_KEY_SECONDS: Final = 300.0
_MAX_BUCKET_KEYS: Final = 10_000
_SALT_BYTES: Final = 16
_DUAL_LAYER: Final = "aws:kms:dsse"
_ARN: Final = "aws:s3:arn"
_SERVICE: Final = "s3.amazonaws.com"
_REFUSED: Final = ("AccessDeniedException", "AccessDenied")

_decode_context: Final = msgspec.json.Decoder(dict[str, str]).decode


class _BucketKey(NamedTuple):
    """A bucket key, encrypted and in the clear, for a time."""

    kms_key: str
    """The ARN."""
    encrypted: bytes
    key: bytes
    expires: float


_BUCKET_KEYS: Final = PerBlock[SizedCache[tuple[Any, ...], _BucketKey]](lambda block: SizedCache(_MAX_BUCKET_KEYS))


def needs_key(how: Encryption | None) -> bool:
    """Whether an object that is written so needs a data key yet."""
    return how is not None and bool(how.kms_key) and not how.data_key


async def generate(ctx: Context, bucket: Bucket, key: str, how: Encryption) -> tuple[Encryption, DataKey]:
    """Return an encryption with a new data key for an object, and that key. Raises AwsError."""
    _check_signed(ctx)
    if how.bucket_key:
        found = await _make_bucket_key(ctx, bucket, how)
    else:
        found = await _generate(ctx, bucket, key, how)
    made = msgspec.structs.replace(how, kms_key=found.kms_key, salt=random_bytes(_SALT_BYTES), data_key=found.encrypted)
    return made, _make_key(ctx, how, found.key)


async def unlock(ctx: Context, bucket: Bucket, key: str, how: Encryption | None) -> DataKey | None:
    """Return the data key of an object, or None where it has none. Raises AwsError."""
    if how is None or not how.data_key:
        return None
    _check_signed(ctx)
    kept, place = _BUCKET_KEYS.get(ctx.block), (*_identify(ctx), how.data_key)
    found = kept.get(place) if how.bucket_key else None
    if found is None or found.expires <= ctx.now():
        params = {
            "CiphertextBlob": how.data_key,
            "KeyId": how.kms_key,
            "EncryptionContext": _make_context(bucket, key, how),
        }
        answer = await _call(ctx, bucket, "Decrypt", params)
        found = _BucketKey(how.kms_key, how.data_key, answer["Plaintext"], ctx.now() + _BUCKET_KEY_SECONDS)
        if how.bucket_key:
            kept.add(place, found, 1)
    return _make_key(ctx, how, found.key)


async def reencrypt_key(ctx: Context, bucket: Bucket, key: str, before: Encryption, how: Encryption) -> Encryption:
    """Return an encryption that has the data key of an object under another KMS key. Raises AwsError."""
    _check_signed(ctx)
    params = {
        "CiphertextBlob": before.data_key,
        "SourceKeyId": before.kms_key,
        "SourceEncryptionContext": _make_context(bucket, key, before),
        "DestinationKeyId": how.kms_key,
        "DestinationEncryptionContext": _make_context(bucket, key, how),
    }
    answer = await _call(ctx, bucket, "ReEncrypt", params)
    return msgspec.structs.replace(how, kms_key=answer["KeyId"], salt=before.salt, data_key=answer["CiphertextBlob"])


def _make_key(ctx: Context, how: Encryption, key: bytes) -> DataKey:
    second = ctx.block.cloud.tokens.derive_key("second layer of objects") if how.algorithm == _DUAL_LAYER else b""
    return DataKey(key, second)


async def _make_bucket_key(ctx: Context, bucket: Bucket, how: Encryption) -> _BucketKey:
    """Return the bucket key of a requester, which is made where there is none."""
    kept, requester = _BUCKET_KEYS.get(ctx.block), _identify(ctx)
    place = (*requester, bucket.number, how.kms_key, how.context)
    found = kept.get(place)
    if found is None or found.expires <= ctx.now():
        found = await _generate(ctx, bucket, "", how)
        kept.add(place, found, 1)
        kept.add((*requester, found.encrypted), found, 1)
    return found


async def _generate(ctx: Context, bucket: Bucket, key: str, how: Encryption) -> _BucketKey:
    params = {"KeyId": how.kms_key, "KeySpec": "AES_256", "EncryptionContext": _make_context(bucket, key, how)}
    answer = await _call(ctx, bucket, "GenerateDataKey", params)
    return _BucketKey(answer["KeyId"], answer["CiphertextBlob"], answer["Plaintext"], ctx.now() + _BUCKET_KEY_SECONDS)


def _identify(ctx: Context) -> tuple[str, str, str, str]:
    """Return what tells requesters apart: a session of a role is one by itself."""
    principal = ctx.principal
    return principal.account, principal.arn, principal.access_key, ctx.source_arn


def _make_context(bucket: Bucket, key: str, how: Encryption) -> dict[str, str]:
    """Return the encryption context of an object's data key.

    It is the request's, and the ARN of the object or, for a bucket key, of the bucket.
    """
    context = _decode_context(base64.b64decode(how.context)) if how.context else {}
    context.setdefault(_ARN, bucket.arn if how.bucket_key else f"{bucket.arn}/{key}")
    return context


def _check_signed(ctx: Context) -> None:
    if access.is_unsigned(ctx):
        raise errors.invalid_argument(
            "Requests specifying Server Side Encryption with AWS KMS managed keys require AWS Signature Version 4.",
            "Authorization",
            "null",
        )


async def _call(ctx: Context, bucket: Bucket, operation: str, params: Params) -> Params:
    """Call KMS in the bucket's region as the caller. Raises AwsError.

    Keys without an ARN are those of the caller's account.
    """
    principal = ctx.principal
    try:
        answer = await ctx.block.cloud.call(
            "kms",
            operation,
            params,
            principal=principal.called_by(_SERVICE),
            account=principal.account,
            region=bucket.region,
            source_arn=ctx.source_arn,
        )
    except AwsError as error:
        raise _reword(error) from None
    return dict(answer or {})


def _reword(error: AwsError) -> AwsError:
    """Return an error of KMS as S3 answers it (API reference, "Error responses")."""
    if error.code in _REFUSED:
        return errors.access_denied(error.message)
    if (error.status or 400) >= 500:
        return error
    return AwsError(f"KMS.{error.code}", error.message, status=400)
