"""Reading an object: GetObject, HeadObject, and finding the version that a request is about."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from functools import partial
from typing import Any, Final, NamedTuple

from cloudlet.core import AwsError, Context, Detour, Params, Result, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import checksums, conditions, contents, data_keys, ranges, versions
from cloudlet.services.s3.object_data.contents import ObjectData
from cloudlet.services.s3.object_data.data_cipher import ObjectKey
from cloudlet.services.s3.object_data.objects import Encryption, Part, Version
from cloudlet.services.s3.object_data.putting import quoted, version_of
from cloudlet.services.s3.permissions import access, encryption
from cloudlet.services.s3.permissions.encryption import CustomerKey
from cloudlet.services.s3.reports import request_metrics
from cloudlet.services.s3.retention import archive, lifecycle, locks

_OVERRIDES: Final = {
    "ResponseCacheControl": "CacheControl",
    "ResponseContentDisposition": "ContentDisposition",
    "ResponseContentEncoding": "ContentEncoding",
    "ResponseContentLanguage": "ContentLanguage",
    "ResponseContentType": "ContentType",
    "ResponseExpires": "Expires",
}


async def found(
    ctx: Context, tx: Transaction, bucket: Bucket, params: Params, action: str, versioned_action: str
) -> Version:
    """Return the version that a request names by Key and VersionId, if the caller may do this with it.

    Raises AwsError: 404 where there is none, 404 or 405 where it is a delete marker.
    """
    key, version_id = params["Key"], params.get("VersionId")
    if version_id == "":
        raise errors.invalid_argument("Version id cannot be the empty string", "versionId", "")
    if version_id is None:
        version = await versions.newest(tx, bucket, key)
    else:
        action = versioned_action
        version = await versions.find(tx, bucket, key, version_id)
    there = None if version is None or version.marker else version
    if there is not None and there.tags:
        request_metrics.of(ctx).tags = there.tags
    named = {} if version_id is None else {"s3:VersionId": version_id}
    await access.authorize(ctx, tx, bucket, action, key=key, version=there, params=params, conditions=named)
    if there is not None:
        return there
    if version is not None:
        _say(ctx, {"x-amz-delete-marker": "true", "x-amz-version-id": version.id})
        if version_id is not None:
            _say(ctx, {"Last-Modified": formatdate(version.modified // 1000, usegmt=True), "Allow": "DELETE"})
            raise errors.method_not_allowed(_method(action), "DeleteMarker")
    await access.missing(ctx, tx, bucket, key)
    raise errors.no_such_key(key) if version_id is None else errors.no_such_version(key, version_id)


def _method(action: str) -> str:
    """Return the HTTP method that an action on an object is done with."""
    return {"Get": "GET", "Lis": "GET", "Put": "PUT", "Upd": "PUT", "Del": "DELETE"}.get(action[3:6], "POST")


def _say(ctx: Context, headers: dict[str, str]) -> None:
    """Add headers to the answer, which may be an error; a transaction that is run again adds them once."""
    ctx.response_headers = [*(each for each in ctx.response_headers if each[0] not in headers), *headers.items()]


class _Read(NamedTuple):
    """What one transaction has found of an object."""

    bucket: Bucket
    version: Version
    contents: ObjectData | None
    expiration: str | None


DataKeys = Mapping[bytes, ObjectKey]
"""Data keys that KMS has decrypted, by what it has decrypted."""
_NONE: Final[DataKeys] = {}


async def read_object(
    ctx: Context, tx: Transaction, params: Params, *, with_body: bool, unlocked: DataKeys = _NONE
) -> Result:
    """Answer GetObject (`with_body`) or HeadObject."""
    ctx.response_status = None
    if "Range" in params and "PartNumber" in params:
        raise errors.invalid_request("Cannot specify both Range header and partNumber query parameter")
    if "x-amz-server-side-encryption" in ctx.headers:
        raise errors.invalid_argument(
            "x-amz-server-side-encryption header is not supported for this operation.",
            "x-amz-server-side-encryption",
            ctx.headers["x-amz-server-side-encryption"],
        )
    if access.is_unsigned(ctx) and not params.keys().isdisjoint(_OVERRIDES):
        raise errors.invalid_request("Request specific response headers cannot be used for anonymous GET requests.")
    customer = encryption.customer_key(params)
    read = await _read(ctx, tx, params, customer, with_body)
    version = read.version
    key: ObjectKey | None = customer
    how = version.encryption
    # API reference, "HeadObject": checksums are for those who may decrypt the object.
    if how is not None and how.data_key and (with_body or "ChecksumMode" in params):
        key = unlocked.get(how.data_key)
        if key is None:
            raise Detour(partial(_read_unlocked, ctx, params, with_body, read.bucket, how))
    answer = described(read.bucket, version, now=ctx.now())
    if read.expiration is not None:
        answer["Expiration"] = read.expiration
    for override, name in () if params.keys().isdisjoint(_OVERRIDES) else _OVERRIDES.items():
        if override in params:
            value = params[override]
            answer[name] = formatdate(value, usegmt=True) if name == "Expires" else value
    start, end = 0, version.size
    part = None
    if "PartNumber" in params:
        start, end, part = _part(read, params["PartNumber"])
        ctx.response_status = 206
        if version.parts:
            answer["PartsCount"] = version.parts
    elif (
        "Range" in params
        and conditions.admits_range(ctx.headers.get("if-range"), version)
        and (asked := ranges.requested(params["Range"], version.size)) is not None
    ):
        start, end = asked
        ctx.response_status = 206
    if "ChecksumMode" in params and version.checksum is not None:
        if part is None and end - start == version.size:
            answer.update(checksums.to_api(version.checksum))
        elif part is not None and part.checksum and version.checksum.type == checksums.COMPOSITE:
            answer[checksums.member(version.checksum.algorithm)] = part.checksum
            answer["ChecksumType"] = checksums.COMPOSITE
    if ctx.response_status == 206 and end > start:
        answer["ContentRange"] = f"bytes {start}-{end - 1}/{version.size}"
    answer["ContentLength"] = end - start
    if with_body and read.contents is not None:
        answer["Body"] = contents.body(ctx.block, read.contents, start, end, key)
    return answer


async def _read_unlocked(ctx: Context, params: Params, with_body: bool, bucket: Bucket, how: Encryption) -> Result:
    """Answer for an object whose data key KMS has to decrypt first."""
    key = await data_keys.unlock(ctx, bucket, params["Key"], how)
    keys = {} if key is None else {how.data_key: key}
    return await ctx.transact(lambda tx: read_object(ctx, tx, params, with_body=with_body, unlocked=keys))


async def _read(ctx: Context, tx: Transaction, params: Params, key: CustomerKey | None, with_body: bool) -> _Read:
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    version = await found(ctx, tx, bucket, params, "s3:GetObject", "s3:GetObjectVersion")
    encryption.check_key(version.encryption, key)
    try:
        conditions.check_read(params, version, ctx.now())
    except AwsError as error:
        if error.code == conditions.NOT_MODIFIED:
            _say(ctx, _for_caches(bucket, version))
        raise
    if with_body:
        archive.check_readable(version, ctx.now())
    needed = with_body or "PartNumber" in params
    return _Read(
        bucket,
        version,
        await contents.load(tx, bucket, params["Key"], version) if needed else None,
        await lifecycle.expiration_header(tx, bucket, params["Key"], version),
    )


def _for_caches(bucket: Bucket, version: Version) -> dict[str, str]:
    """Return the headers of an object that a cache which has it needs to know anew (RFC 9110, 15.4.5)."""
    headers = {"ETag": quoted(version.etag), "Last-Modified": formatdate(version.modified // 1000, usegmt=True)}
    for name, member in (("Cache-Control", "CacheControl"), ("Expires", "Expires")):
        if member in version.headers:
            headers[name] = _as_sent(version.headers[member])
    if bucket.versioning:
        headers["x-amz-version-id"] = version.id
    return headers


def _part(read: _Read, number: int) -> tuple[int, int, Part | None]:
    """Return where the part with this number begins and ends, and the part. Raises AwsError where there is none."""
    version = read.version
    if not 1 <= number <= 10_000:
        raise errors.invalid_part_number(number)
    if not version.parts or read.contents is None:
        if number == 1:
            return 0, version.size, None
        raise _no_such_part(number, 1)
    begin = 0
    for part in read.contents.parts:
        if part.number == number:
            return begin, begin + part.size, part
        begin += part.size
    raise _no_such_part(number, version.parts)


def _no_such_part(number: int, count: int) -> AwsError:
    return AwsError(
        "InvalidPartNumber",
        "The requested partnumber is not satisfiable",
        status=416,
        PartNumberRequested=str(number),
        ActualPartCount=str(count),
    )


def described(bucket: Bucket, version: Version, *, now: float) -> dict[str, Any]:
    """Return the headers that tell of an object, by the model's names, but for its checksum and its length."""
    answer: dict[str, Any] = {
        "AcceptRanges": "bytes",
        "ETag": quoted(version.etag),
        "LastModified": version.modified // 1000,
        **{name: _as_sent(value) for name, value in version.headers.items()},
        **encryption.to_api(version.encryption),
        **version_of(bucket, version),
    }
    if version.metadata:
        answer["Metadata"] = {name: _as_sent(value) for name, value in version.metadata.items()}
    if version.storage_class != "STANDARD":
        answer["StorageClass"] = version.storage_class
    if version.tags:
        answer["TagCount"] = len(version.tags)
    if version.lock is not None:
        answer.update(locks.to_api(version.lock))
    if version.redirect:
        answer["WebsiteRedirectLocation"] = version.redirect
    if version.replication:
        answer["ReplicationStatus"] = version.replication
    if version.restore is not None:
        shown = archive.to_api(version.restore, now)
        if shown is not None:
            answer["Restore"] = shown
    return answer


def _as_sent(value: str) -> str:
    """Return a header's value so that it goes out in the bytes that it came in with.

    It was read as Latin-1, and is written as UTF-8 where that is what it is.
    """
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value
