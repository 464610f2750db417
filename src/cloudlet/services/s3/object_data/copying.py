"""Copies: CopyObject, UploadPartCopy.

Where an object's file can be shared (the copy is to have the same bytes, and its checksum is known), the copy is a
second name for it. Else it is read, hashed and written anew.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import events
from cloudlet.services.s3.object_data import (
    annotating,
    checksums,
    conditions,
    contents,
    data_keys,
    garbage,
    multipart,
    ranges,
    reading,
    upload,
    versions,
)
from cloudlet.services.s3.object_data.annotating import Carried
from cloudlet.services.s3.object_data.contents import ObjectData
from cloudlet.services.s3.object_data.data_cipher import ObjectKey
from cloudlet.services.s3.object_data.objects import Version
from cloudlet.services.s3.object_data.pieces import stored
from cloudlet.services.s3.object_data.putting import NewObject, etag_of, quoted, written
from cloudlet.services.s3.object_data.reencrypting import copy_annotations
from cloudlet.services.s3.permissions import access, encryption
from cloudlet.services.s3.reports import request_metrics
from cloudlet.services.s3.retention import archive

_LARGEST_BYTES = 5 << 30
_OF_CONTENT = frozenset(
    ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "ContentType", "Expires", "Metadata")
)


class Source(msgspec.Struct):
    """What is copied."""

    bucket: Bucket
    key: str
    version: Version
    contents: ObjectData
    secret: ObjectKey | None
    named: bool
    """Whether the request names the version."""

    async def unlock(self, ctx: Context) -> None:
        """Get its data key from KMS, where it has one. Raises AwsError."""
        self.secret = self.secret or await data_keys.unlock(ctx, self.bucket, self.key, self.version.encryption)

    @property
    def answer(self) -> Params:
        return {"CopySourceVersionId": self.version.id} if self.bucket.versioning else {}


def _source(text: str) -> tuple[str, str, str | None]:
    """Return the bucket, the key and the version id that x-amz-copy-source names. Raises AwsError."""
    path, separator, query = text.partition("?versionId=")
    if not separator:
        path, query = text, ""
    decoded = unquote(path).removeprefix("/")
    if decoded.startswith("arn:"):
        raise errors.not_implemented("copies from access points")
    bucket, _, key = decoded.partition("/")
    if not bucket or not key:
        raise errors.invalid_argument(
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", "x-amz-copy-source", text
        )
    if separator and not query:
        raise errors.invalid_argument("Version id cannot be the empty string", "versionId", "")
    return bucket, key, unquote(query) or None


async def find_source(ctx: Context, tx: Transaction, params: Params) -> Source:
    """Return the source of a copy, if the caller may read it and its conditions hold. Raises AwsError."""
    name, key, version_id = _source(params["CopySource"])
    bucket = await get_bucket(ctx, tx, name)
    asked: Params = {"Key": key, "ExpectedBucketOwner": params.get("ExpectedSourceBucketOwner")}
    measured = request_metrics.of(ctx)
    tags = measured.tags
    if version_id is not None:
        asked["VersionId"] = version_id
    try:
        version = await reading.found(ctx, tx, bucket, asked, "s3:GetObject", "s3:GetObjectVersion")
    except AwsError as error:
        if error.code != "MethodNotAllowed":
            raise
        raise errors.invalid_request(
            "The source of a copy request may not specifically refer to a delete marker by version id."
        ) from None
    if archive.is_archived(version, ctx.now()):
        raise AwsError(
            "ObjectNotInActiveTierError",
            "The source object of the COPY action is not in the active tier and is only stored in Amazon S3 Glacier.",
            status=403,
        )
    measured.source, measured.source_tags = (name, key), version.tags
    if params.get("TaggingDirective") == "REPLACE":
        measured.tags = tags
    secret = encryption.customer_key(params, "CopySource")
    encryption.check_key(version.encryption, secret)
    conditions.check_source(params, version)
    return Source(bucket, key, version, await contents.load(tx, bucket, key, version), secret, version_id is not None)


async def copy_object(ctx: Context, params: Params) -> Result:
    """Copy an object of up to 5 GiB."""
    new = NewObject.of(_described_by(params))

    async def look(tx: Transaction) -> tuple[Source, Bucket, Version, list[Carried]]:
        bucket = await new.admitted(ctx, tx)
        source = await find_source(ctx, tx, params)
        _check_change(params, bucket, source)
        if source.version.size > _LARGEST_BYTES:
            raise errors.invalid_request(
                "The specified copy source is larger than the maximum allowable size for a copy source: "
                f"{_LARGEST_BYTES}"
            )
        if params.get("TaggingDirective", "COPY") == "COPY" and source.version.tags:
            action = "s3:GetObjectVersionTagging" if source.named else "s3:GetObjectTagging"
            await access.authorize(ctx, tx, source.bucket, action, key=source.key, version=source.version)
            await access.authorize(ctx, tx, bucket, "s3:PutObjectTagging", key=params["Key"], params=params)
        attached = await _annotations(ctx, tx, params, new, bucket, source)
        return source, bucket, await new.record(ctx, tx, bucket, 0), attached

    source, target, record, attached = await ctx.transact(look)
    await source.unlock(ctx)
    if record.encryption is not None:
        await new.settle(ctx, target, record.encryption)
    copied = await _copied(ctx, params, new, source, record)
    blobs = [part.blob for part in copied.contents.parts if part.blob]
    carried = await copy_annotations(ctx.block, attached, source.secret, new.key)

    async def store(tx: Transaction) -> Result:
        now = int(ctx.now() * 1000)
        bucket = await new.admitted(ctx, tx)
        record = _taken_over(params, await new.record(ctx, tx, bucket, now), source.version)
        version = msgspec.structs.replace(
            record,
            size=copied.contents.size,
            etag=copied.etag or etag_of(copied.md5, new.key),
            blob=blobs[0] if blobs else "",
            checksum=copied.checksum,
            annotations=len(carried),
        )
        if carried:
            await _check_unchanged(tx, source, attached)
        garbage.claim(tx, blobs)
        version = await versions.put(tx, bucket, params["Key"], version, now, data=copied.contents.data)
        if carried:
            where = await versions.where(tx, bucket, params["Key"], version)
            await annotating.replace_all(tx, bucket, where, carried, now)
        await events.note(ctx.block, tx, bucket, "ObjectCreated:Copy", params["Key"], version, ctx=ctx)
        return {
            "CopyObjectResult": {
                "ETag": quoted(version.etag),
                "LastModified": version.modified // 1000,
                **checksums.to_api(version.checksum),
            },
            **source.answer,
            **await written(tx, bucket, params["Key"], version),
        }

    return await upload.keep(ctx, [*blobs, *annotating.blobs_of(carried)], store)


async def _annotations(
    ctx: Context, tx: Transaction, params: Params, new: NewObject, bucket: Bucket, source: Source
) -> list[Carried]:
    """Return the annotations that a copy is to have, if the caller may copy them. Raises AwsError."""
    version = source.version
    if not version.annotations or params.get("AnnotationDirective", "COPY") == "EXCLUDE":
        return []
    if new.sealed is not None:
        raise errors.invalid_request("Objects encrypted with SSE-C cannot have annotations.")
    await access.authorize(ctx, tx, source.bucket, "s3:GetObjectAnnotation", key=source.key, version=version)
    await access.authorize(ctx, tx, bucket, "s3:PutObjectAnnotation", key=params["Key"], params=params)
    return await annotating.load_all(tx, source.bucket, await versions.where(tx, source.bucket, source.key, version))


async def _check_unchanged(tx: Transaction, source: Source, attached: list[Carried]) -> None:
    """Raise an error after which clients try again where the source has other annotations by now."""
    where = await versions.where(tx, source.bucket, source.key, source.version)
    if await annotating.page(tx, source.bucket, where) != [(each.name, each.annotation) for each in attached]:
        raise AwsError("ServiceUnavailable", "The annotations of the source were modified. Try again.", status=503)


def _described_by(params: Params) -> Params:
    """Return the parameters without what the directives say is to be the source's."""
    left_out: set[str] = set()
    if params.get("MetadataDirective", "COPY") == "COPY":
        left_out |= _OF_CONTENT
    if params.get("TaggingDirective", "COPY") == "COPY":
        left_out.add("Tagging")
    return {name: value for name, value in params.items() if name not in left_out}


def _taken_over(params: Params, record: Version, source: Version) -> Version:
    """Return the record of a copy with what it has from its source."""
    if params.get("MetadataDirective", "COPY") == "COPY":
        record = msgspec.structs.replace(record, headers=source.headers, metadata=source.metadata)
    if params.get("TaggingDirective", "COPY") == "COPY":
        record = msgspec.structs.replace(record, tags=source.tags)
    return record


def _check_change(params: Params, bucket: Bucket, source: Source) -> None:
    """Raise InvalidRequest for a copy of an object onto itself that changes nothing."""
    if source.bucket.number != bucket.number or source.key != params["Key"] or source.named:
        return
    changes = ("StorageClass", "WebsiteRedirectLocation", "ServerSideEncryption", "SSECustomerKey", "ChecksumAlgorithm")
    changed = params.get("MetadataDirective") == "REPLACE" or any(name in params for name in changes)
    if not changed and "encryption" not in bucket.kinds:
        raise errors.invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the "
            "object's metadata, storage class, website redirect location or encryption attributes."
        )


class _Copied(msgspec.Struct):
    """The contents of a copy, in rows or files of its own, and what is known of them."""

    contents: ObjectData
    checksum: Any
    etag: str = ""
    md5: bytes = b""


async def _copied(ctx: Context, params: Params, new: NewObject, source: Source, record: Version) -> _Copied:
    before = source.version
    wanted = params.get("ChecksumAlgorithm")
    algorithm = wanted or (checksums.DEFAULT if before.checksum is None else before.checksum.algorithm)
    is_known = before.checksum is not None and before.checksum.algorithm == algorithm
    is_md5 = not before.parts and before.encryption is not None and before.encryption.algorithm == "AES256"
    keeps_etag = is_md5 and record.encryption is not None and record.encryption.algorithm == "AES256"
    if is_known and keeps_etag and source.secret is None and new.key is None:
        return _Copied(await contents.linked(ctx.block, source.contents), before.checksum, before.etag)
    received = await _received(ctx, source, 0, before.size, algorithm, new.key, new.nonce)
    return _Copied(
        contents.of_one_piece(received.size, received.data, received.blob, new.nonce),
        received.checksum,
        md5=received.md5,
    )


async def _received(
    ctx: Context,
    source: Source,
    start: int,
    end: int,
    algorithm: str,
    key: ObjectKey | None,
    nonce: str,
    inline: int = upload.INLINE_BYTES,
) -> upload.Received:
    """Take in bytes `start` to `end` of the source, as if they had been uploaded."""
    release = ctx.block.blobs.read([part.blob for part in source.contents.parts if part.blob])
    try:
        pieces = stored(ctx.block, source.contents, start, end, source.secret)
        wanted = upload.Wanted(None, None, end - start, algorithm)
        return await upload.receive(ctx.block, pieces, wanted, key=key, nonce=nonce, inline=inline)
    finally:
        release()


async def upload_part_copy(ctx: Context, params: Params) -> Result:
    """Take a part of an upload from an object that is there."""
    multipart.check_number(params["PartNumber"])
    customer = encryption.customer_key(params)

    async def look(tx: Transaction) -> tuple[Bucket, multipart.Upload, Source]:
        bucket, begun = await multipart.find_for_part(ctx, tx, params, customer)
        return bucket, begun, await find_source(ctx, tx, params)

    bucket, begun, source = await ctx.transact(look)
    await source.unlock(ctx)
    key = customer or await data_keys.unlock(ctx, bucket, params["Key"], begun.template.encryption)
    start, end = 0, source.version.size
    if "CopySourceRange" in params:
        start, end = ranges.copied(params["CopySourceRange"], source.version.size)
    if end - start > _LARGEST_BYTES:
        raise errors.invalid_request(
            f"The specified copy source is larger than the maximum allowable size for a copy source: {_LARGEST_BYTES}"
        )
    nonce = random_bytes(16).hex() if key is not None else ""
    received = await _received(ctx, source, start, end, begun.algorithm, key, nonce, inline=-1)
    part = await multipart.keep_part(ctx, params, customer, key, received, nonce)
    return {
        "CopyPartResult": {
            "ETag": quoted(part.etag),
            "LastModified": part.modified // 1000,
            **({checksums.member(begun.algorithm): part.checksum} if begun.explicit else {}),
        },
        **source.answer,
        **encryption.to_api(begun.template.encryption),
    }
