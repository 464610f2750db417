"""The operations of S3 on the annotations of objects.

API reference, PutObjectAnnotation, GetObjectAnnotation, ListObjectAnnotations, DeleteObjectAnnotation; S3 user guide,
"Managing annotations" (what names may be).
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Detour, Params, Result, Transaction
from cloudlet.core.kernel.ids import token
from cloudlet.services.s3 import errors
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import events
from cloudlet.services.s3.object_data import (
    annotating,
    checksums,
    conditions,
    contents,
    continuation,
    data_keys,
    reading,
    upload,
    versions,
)
from cloudlet.services.s3.object_data.annotating import Annotation
from cloudlet.services.s3.object_data.objects import Encryption, Version
from cloudlet.services.s3.object_data.pieces import pieces_of
from cloudlet.services.s3.object_data.putting import etag_of, quoted
from cloudlet.services.s3.retention import locks

_NAME_BYTES = 512
_RESERVED = ("aws", "s3")
_MARKS = frozenset("_.-")


def _is_written_right(text: str) -> bool:
    return all(each.isalpha() or each.isdecimal() or each in _MARKS for each in text)


def _check_name(name: str) -> None:
    if len(name.encode()) > _NAME_BYTES:
        raise AwsError("AnnotationNameTooLong", f"The annotation name exceeds {_NAME_BYTES} bytes.", status=400)
    if not name or not _is_written_right(name) or name.lower().startswith(_RESERVED):
        raise AwsError(
            "InvalidAnnotationName", "The annotation name you provided is invalid.", status=400, AnnotationName=name
        )


async def _payload(body: Any) -> bytes:
    """Read a payload. Raises AwsError for one that is empty, too large or no text."""
    # Pieces may be of a byte each: as objects they would take many times what they hold.
    whole = bytearray()
    try:
        async for piece in pieces_of(body):
            whole += piece
            if len(whole) > annotating.LARGEST_BYTES:
                raise upload.too_large(len(whole), annotating.LARGEST_BYTES)
    except ConnectionError:
        raise upload.incomplete() from None
    payload = bytes(whole)
    if not payload:
        raise errors.invalid_request("The annotation payload must have at least 1 byte.")
    try:
        payload.decode()
    except UnicodeDecodeError:
        raise AwsError(
            "UnsupportedMediaType", "The annotation payload is not valid UTF-8 encoded text.", status=415
        ) from None
    return payload


async def _found(ctx: Context, tx: Transaction, params: Params, action: str) -> tuple[Bucket, Version, bytes]:
    """Return the bucket, the version that a request names, and its place. Raises AwsError."""
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    version = await reading.found(ctx, tx, bucket, params, action, action)
    if "ObjectIfMatch" in params:
        conditions.check_object(params["ObjectIfMatch"], version)
    return bucket, version, await versions.where(tx, bucket, params["Key"], version)


def _version_of(bucket: Bucket, version: Version) -> Params:
    return {"ObjectVersionId": version.id} if bucket.versioning else {}


def _encryption(version: Version) -> Params:
    """Return how an annotation is encrypted: as its object."""
    return {"ServerSideEncryption": "AES256" if version.encryption is None else version.encryption.algorithm}


async def _changed(
    ctx: Context, tx: Transaction, bucket: Bucket, key: str, version: Version, event: str, count: int
) -> None:
    """Note how many annotations a version has now, and tell of the change."""
    if count != version.annotations:
        version = msgspec.structs.replace(version, annotations=count)
        await versions.rewrite(tx, bucket, key, version)
    await events.note(ctx.block, tx, bucket, event, key, version, ctx=ctx)


@service.direct("PutObjectAnnotation")
async def put_object_annotation(ctx: Context, params: Params) -> Result:
    name, body = params["AnnotationName"], params.get("AnnotationPayload")
    _check_name(name)
    wanted = upload.Wanted.of({**params, "Body": body}, ctx.headers)
    payload = await _payload(body)
    stated = wanted.stated
    if stated is not None and stated.value is None:
        told = checksums.Stated(stated.algorithm, checksums.trailing(body, stated.algorithm))
        wanted = upload.Wanted(told, wanted.md5, wanted.size, wanted.kept)

    async def find(tx: Transaction) -> tuple[Bucket, Version, bytes]:
        bucket, version, where = await _found(ctx, tx, params, "s3:PutObjectAnnotation")
        if version.encryption is not None and version.encryption.customer_md5:
            raise errors.invalid_request("Objects encrypted with SSE-C cannot have annotations.")
        return bucket, version, where

    bucket, version, _ = await ctx.transact(find)
    how = version.encryption
    key = await data_keys.unlock(ctx, bucket, params["Key"], how)
    nonce = "" if key is None else token(32)
    received = await upload.receive(ctx.block, payload, wanted, key=key, nonce=nonce)

    async def store(tx: Transaction) -> Result:
        bucket, version, where = await find(tx)
        if not _has_same_key(version.encryption, how):
            raise AwsError("OperationAborted", "The object was modified. Try again.", status=409)
        now = int(ctx.now() * 1000)
        etag = etag_of(received.md5, key)
        annotation = Annotation(now, received.size, etag, received.checksum, received.blob, nonce)
        count = version.annotations
        if await annotating.find(tx, bucket, where, name) is None:
            count += 1
        if count > annotating.LIMIT:
            raise AwsError(
                "AnnotationLimitExceeded",
                "The request would exceed the maximum number of annotations allowed per object.",
                status=400,
            )
        await annotating.put(tx, bucket, where, name, annotation, received.data, now)
        await _changed(ctx, tx, bucket, params["Key"], version, "ObjectAnnotation:Put", count)
        return {
            "Key": params["Key"],
            "AnnotationName": name,
            "ETag": quoted(annotation.etag),
            **checksums.to_api(annotation.checksum),
            **_encryption(version),
            **_version_of(bucket, version),
        }

    return await upload.keep(ctx, [received.blob], store)


def _has_same_key(one: Encryption | None, other: Encryption | None) -> bool:
    """Whether two encryptions have the same data key, or both none."""
    return (b"" if one is None else one.data_key) == (b"" if other is None else other.data_key)


@service.operation("GetObjectAnnotation")
async def get_object_annotation(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _get(ctx, tx, params, {})


async def _get_unlocked(ctx: Context, params: Params, bucket: Bucket, how: Encryption) -> Result:
    """Answer for an annotation whose data key KMS has to decrypt first."""
    key = await data_keys.unlock(ctx, bucket, params["Key"], how)
    unlocked = {} if key is None else {how.data_key: key}
    return await ctx.transact(lambda tx: _get(ctx, tx, params, unlocked))


async def _get(ctx: Context, tx: Transaction, params: Params, unlocked: reading.DataKeys) -> Result:
    bucket, version, where = await _found(ctx, tx, params, "s3:GetObjectAnnotation")
    name = params["AnnotationName"]
    annotation = await annotating.find(tx, bucket, where, name)
    if annotation is None:
        raise AwsError(
            "NoSuchAnnotation",
            "The specified annotation does not exist on this object.",
            status=404,
            Key=params["Key"],
            AnnotationName=name,
        )
    how, key = version.encryption, None
    if annotation.nonce and how is not None:
        key = unlocked.get(how.data_key)
        if key is None:
            raise Detour(partial(_get_unlocked, ctx, params, bucket, how))
    small = await annotating.data(tx, bucket, where, name, annotation)
    whole = contents.of_one_piece(annotation.size, small, annotation.blob, annotation.nonce)
    answer: dict[str, Any] = {
        "AnnotationPayload": contents.body(ctx.block, whole, 0, annotation.size, key),
        "LastModified": annotation.modified // 1000,
        "ContentLength": annotation.size,
        "ETag": quoted(annotation.etag),
        **_encryption(version),
        **_version_of(bucket, version),
    }
    if "ChecksumMode" in params:
        answer |= checksums.to_api(annotation.checksum)
    return answer | _replication(version)


def _replication(version: Version) -> Params:
    """Return how far the replication of a version's annotations is: they go with it."""
    return {"ReplicationStatus": version.replication} if version.replication else {}


@service.operation("ListObjectAnnotations")
async def list_object_annotations(ctx: Context, tx: Transaction, params: Params) -> Result:
    prefix, token = params.get("AnnotationPrefix"), params.get("ContinuationToken")
    if prefix is not None and (len(prefix.encode()) > _NAME_BYTES or not _is_written_right(prefix)):
        raise AwsError("InvalidPrefix", "The annotation prefix you provided is invalid.", status=400, Prefix=prefix)
    most = params.get("MaxAnnotationResults", annotating.LIMIT)
    if not 1 <= most <= annotating.LIMIT:
        raise errors.invalid_argument(
            f"max-annotation-results must be an integer between 1 and {annotating.LIMIT}",
            "max-annotation-results",
            most,
        )
    after = "" if token is None else continuation.name_of(token)
    bucket, version, where = await _found(ctx, tx, params, "s3:ListObjectAnnotations")
    listed = await annotating.page(tx, bucket, where, prefix=prefix or "", after=after, limit=most + 1)
    shown, more = listed[:most], len(listed) > most
    return {
        "Annotations": [
            {
                "AnnotationName": name,
                "LastModified": annotation.modified // 1000,
                "ETag": quoted(annotation.etag),
                "ChecksumAlgorithm": [annotation.checksum.algorithm],
                "Size": annotation.size,
                **_replication(version),
            }
            for name, annotation in shown
        ],
        "Bucket": bucket.name,
        "Key": params["Key"],
        "AnnotationPrefix": prefix,
        "MaxAnnotationResults": most,
        "AnnotationCount": len(shown),
        "ContinuationToken": token,
        "NextContinuationToken": continuation.token_of(shown[-1][0]) if more else None,
        **_version_of(bucket, version),
    }


@service.operation("DeleteObjectAnnotation")
async def delete_object_annotation(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket, version, where = await _found(ctx, tx, params, "s3:DeleteObjectAnnotation")
    # The model has no member for this header, which the operation's documentation asks for.
    bypass = ctx.headers.get("x-amz-bypass-governance-retention", "").lower() == "true"
    await locks.check_deletable(ctx, tx, bucket, params["Key"], version, bypass=bypass)
    if await annotating.remove(tx, bucket, where, params["AnnotationName"], int(ctx.now() * 1000)):
        count = version.annotations - 1
        await _changed(ctx, tx, bucket, params["Key"], version, "ObjectAnnotation:Delete", count)
    return _version_of(bucket, version)
