"""The operations that list what is in a bucket: objects, versions, uploads under way.

API reference, "ListObjects", "ListObjectsV2", "ListObjectVersions", "ListMultipartUploads".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import continuation, listing, multipart, objects
from cloudlet.services.s3.object_data.objects import NULL, Restore, Version
from cloudlet.services.s3.permissions import access, acl, canonical_users

Written = Callable[[str], str]


class _Asked(NamedTuple):
    """What all listings are asked for. `written` writes keys as the answer is to have them."""

    prefix: str
    delimiter: str
    limit: int
    encoding: str | None
    written: Written


def _asked(params: Params, limit_name: str = "MaxKeys", argument: str = "maxKeys") -> _Asked:
    encoding = params.get("EncodingType")
    if encoding not in (None, "url"):
        raise errors.invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding)
    limit = params.get(limit_name)
    if limit is None:
        limit = listing.LARGEST_PAGE
    elif not 0 <= limit < 1 << 31:
        message = f"Argument {argument} must be an integer between 0 and 2147483647"
        raise errors.invalid_argument(message, argument, limit)
    return _Asked(
        params.get("Prefix") or "",
        params.get("Delimiter") or "",
        min(limit, listing.LARGEST_PAGE),
        encoding,
        str if encoding is None else _url_encoded,
    )


def _url_encoded(key: str) -> str:
    return quote(key, safe="/*-._")


def _common_prefixes(found: listing.Found[Any], asked: _Asked) -> list[dict[str, str]] | None:
    return [{"Prefix": asked.written(prefix)} for prefix in found.prefixes] or None


def _last_key(found: listing.Found[Any]) -> str:
    """Return the key, or the common prefix, behind which the next page begins."""
    return found.last if isinstance(found.last, str) else "" if found.last is None else found.last[0]


def _common(bucket: Bucket, asked: _Asked, found: listing.Found[Any]) -> dict[str, Any]:
    return {
        "Name": bucket.name,
        "Prefix": asked.written(asked.prefix),
        "Delimiter": asked.written(asked.delimiter) if asked.delimiter else None,
        "EncodingType": asked.encoding,
        "IsTruncated": found.truncated,
        "CommonPrefixes": _common_prefixes(found, asked),
    }


def _existing(value: bytes) -> Version | None:
    version = objects.decode(value)
    return None if version.marker else version


class _Page(NamedTuple):
    """A page of a listing of objects."""

    bucket: Bucket
    asked: _Asked
    found: listing.Found[Version]


async def _objects(ctx: Context, params: Params, start: Callable[[], str]) -> _Page:
    """Return a page of the objects behind the key that `start` returns. Raises AwsError.

    Keys that are deleted, but for their versions, are passed over: however many there are, others have their turn.
    """
    page: _Page | None = None

    async def look(tx: Transaction) -> _Page:
        bucket = await access.bucket_for(ctx, tx, params, "s3:ListBucket")
        asked, after = _asked(params), start()
        # Meanwhile there may be another bucket of this name.
        before = None if page is None or page.bucket.number != bucket.number else page.found
        first = listing.start_after(bucket.objects, asked.prefix, asked.delimiter, after)
        found = await listing.listed(
            tx,
            bucket.objects,
            # There is no delete marker where versioning was never on.
            _existing if bucket.versioning else objects.decode,
            prefix=asked.prefix,
            delimiter=asked.delimiter,
            begin=first if before is None else before.resume,
            limit=asked.limit,
            first_only=bool(bucket.versioning),
            in_turns=True,
            before=before,
        )
        return _Page(bucket, asked, found)

    page = await ctx.transact(look)
    while page.found.resume:
        await asyncio.sleep(0)
        page = await ctx.transact(look)
    return page


Show = Callable[[str, Version], dict[str, Any]]


def _showing(ctx: Context, bucket: Bucket, params: Params, asked: _Asked, *, with_owner: bool) -> Show:
    """Return the function that shows a version. What many have is one object: it is written once."""
    written, owners, algorithms = asked.written, dict[str, Any](), dict[str, Any]()
    with_restore = "RestoreStatus" in (params.get("OptionalObjectAttributes") or ())

    def show(key: str, version: Version) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "Key": written(key),
            "LastModified": version.modified // 1000,
            "ETag": f'"{version.etag}"',
            "Size": version.size,
            "StorageClass": version.storage_class,
        }
        if version.checksum is not None:
            algorithm = version.checksum.algorithm
            shown["ChecksumAlgorithm"] = algorithms.get(algorithm) or algorithms.setdefault(algorithm, [algorithm])
            shown["ChecksumType"] = version.checksum.type
        if with_owner:
            account = acl.object_owner(bucket, version.acl)
            shown["Owner"] = owners.get(account) or owners.setdefault(account, canonical_users.owner(account))
        if with_restore and version.restore is not None:
            shown["RestoreStatus"] = _restore_status(ctx, version.restore)
        return shown

    return show


def _restore_status(ctx: Context, restore: Restore) -> dict[str, Any]:
    """Return what a listing tells of an archived object's copy."""
    if ctx.now() * 1000 < restore.ready:
        return {"IsRestoreInProgress": True}
    return {"IsRestoreInProgress": False, "RestoreExpiryDate": restore.expires / 1000}


@service.direct("ListObjects")
async def list_objects(ctx: Context, params: Params) -> Result:
    marker = params.get("Marker") or ""
    bucket, asked, found = await _objects(ctx, params, lambda: marker)
    show = _showing(ctx, bucket, params, asked, with_owner=True)
    # Without a delimiter the last key is where to go on, and is not told.
    tells_next = found.truncated and asked.delimiter
    return {
        **_common(bucket, asked, found),
        # Alone of all listings this one does not encode the prefix.
        "Prefix": asked.prefix,
        "Marker": asked.written(marker),
        "NextMarker": asked.written(_last_key(found)) if tells_next else None,
        "MaxKeys": asked.limit,
        "Contents": [show(key, version) for key, _, version in found.entries] or None,
    }


@service.direct("ListObjectsV2")
async def list_objects_v2(ctx: Context, params: Params) -> Result:
    token, start = params.get("ContinuationToken"), params.get("StartAfter")
    bucket, asked, found = await _objects(
        ctx, params, lambda: start or "" if token is None else continuation.name_of(token)
    )
    show = _showing(ctx, bucket, params, asked, with_owner=bool(params.get("FetchOwner")))
    return {
        **_common(bucket, asked, found),
        "StartAfter": None if start is None else asked.written(start),
        "ContinuationToken": token,
        "NextContinuationToken": continuation.token_of(_last_key(found)) if found.truncated else None,
        "KeyCount": len(found.entries) + len(found.prefixes),
        "MaxKeys": asked.limit,
        "Contents": [show(key, version) for key, _, version in found.entries] or None,
    }


@service.operation("ListObjectVersions")
async def list_object_versions(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:ListBucketVersions")
    asked = _asked(params)
    key_marker, version_marker = params.get("KeyMarker") or "", params.get("VersionIdMarker") or ""
    begin = listing.start_after(bucket.objects, asked.prefix, asked.delimiter, key_marker)
    if version_marker:
        if not key_marker:
            message = "A version-id marker cannot be specified without a key marker."
            raise errors.invalid_argument(message, "version-id-marker", version_marker)
        order = await _order(tx, bucket, key_marker, version_marker)
        row = bucket.objects.prefix + objects.place(key_marker, order)
        begin = listing.start_within(bucket.objects, asked.prefix, asked.delimiter, key_marker, row)
    found = await listing.listed(
        tx,
        bucket.objects,
        objects.decode,
        prefix=asked.prefix,
        delimiter=asked.delimiter,
        begin=begin,
        limit=asked.limit,
    )
    versions: list[dict[str, Any]] = []
    markers: list[dict[str, Any]] = []
    previous = key_marker if version_marker else None
    show = _showing(ctx, bucket, params, asked, with_owner=True)
    for key, _, version in found.entries:
        shown = show(key, version)
        shown["VersionId"], shown["IsLatest"] = version.id, key != previous
        previous = key
        if version.marker:
            markers.append({name: shown[name] for name in ("Key", "VersionId", "IsLatest", "LastModified", "Owner")})
        else:
            versions.append(shown)
    last = found.last
    return {
        **_common(bucket, asked, found),
        "KeyMarker": asked.written(key_marker),
        "VersionIdMarker": version_marker,
        "NextKeyMarker": asked.written(_last_key(found)) if found.truncated else None,
        "NextVersionIdMarker": last[2].id if found.truncated and isinstance(last, tuple) else None,
        "MaxKeys": asked.limit,
        "Versions": versions or None,
        "DeleteMarkers": markers or None,
    }


async def _order(tx: Transaction, bucket: Bucket, key: str, version_id: str) -> int:
    """Return where in the order of a key's versions one of them is, or was."""
    if version_id != NULL:
        return objects.order_of(version_id)
    raw = await tx.get(bucket.nulls.key(key))
    return objects.LAST if raw is None else int.from_bytes(raw, "big")


@service.operation("ListMultipartUploads")
async def list_multipart_uploads(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:ListBucketMultipartUploads")
    asked = _asked(params, "MaxUploads", "max-uploads")
    key_marker, id_marker = params.get("KeyMarker") or "", params.get("UploadIdMarker") or ""
    begin = listing.start_after(bucket.uploads, asked.prefix, asked.delimiter, key_marker)
    if key_marker and id_marker:
        row = bucket.uploads.key(key_marker, id_marker)
        begin = listing.start_within(bucket.uploads, asked.prefix, asked.delimiter, key_marker, row)
    found = await listing.listed(
        tx,
        bucket.uploads,
        multipart.decode,
        prefix=asked.prefix,
        delimiter=asked.delimiter,
        begin=begin,
        limit=asked.limit,
    )
    last = found.last
    next_id = bucket.uploads.unpack(last[1])[1] if isinstance(last, tuple) else ""
    return {
        "Bucket": bucket.name,
        "Prefix": asked.written(asked.prefix),
        "Delimiter": asked.written(asked.delimiter) if asked.delimiter else None,
        "EncodingType": asked.encoding,
        "KeyMarker": asked.written(key_marker),
        "UploadIdMarker": id_marker,
        "NextKeyMarker": asked.written(_last_key(found)),
        "NextUploadIdMarker": next_id,
        "MaxUploads": asked.limit,
        "IsTruncated": found.truncated,
        "CommonPrefixes": _common_prefixes(found, asked),
        "Uploads": [
            multipart.to_api(bucket, key, bucket.uploads.unpack(row)[1], upload) | {"Key": asked.written(key)}
            for key, row, upload in found.entries
        ]
        or None,
    }
