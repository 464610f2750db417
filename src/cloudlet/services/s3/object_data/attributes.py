"""GetObjectAttributes: what there is to know of an object, without its bytes."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import checksums, reading, versions
from cloudlet.services.s3.object_data.multipart import parts_asked
from cloudlet.services.s3.object_data.objects import Checksum, Version
from cloudlet.services.s3.object_data.putting import version_of
from cloudlet.services.s3.permissions import access, encryption

_NAMES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


async def of_object(ctx: Context, tx: Transaction, params: Params) -> dict[str, Any]:
    """Return the attributes that a request names."""
    wanted = {name.strip() for each in params["ObjectAttributes"] for name in each.split(",")}
    unknown = sorted(wanted.difference(_NAMES))
    if unknown or not wanted:
        raise errors.invalid_argument("Invalid attribute name specified.", "x-amz-object-attributes", ",".join(unknown))
    bucket = await get_bucket(ctx, tx, params["Bucket"])
    version = await reading.found(ctx, tx, bucket, params, "s3:GetObject", "s3:GetObjectVersion")
    action = "s3:GetObjectAttributes" if "VersionId" not in params else "s3:GetObjectVersionAttributes"
    await access.authorize(ctx, tx, bucket, action, key=params["Key"], version=version, params=params)
    encryption.check_key(version.encryption, encryption.customer_key(params))
    answer: dict[str, Any] = {"LastModified": version.modified // 1000, **version_of(bucket, version)}
    if "ETag" in wanted:
        answer["ETag"] = version.etag
    if "Checksum" in wanted and version.checksum is not None:
        # Of a composite checksum it is not told here of how many parts it is.
        answer["Checksum"] = checksums.to_api(version.checksum) | {
            checksums.member(version.checksum.algorithm): version.checksum.value.partition("-")[0]
        }
    if "ObjectParts" in wanted and version.parts:
        answer["ObjectParts"] = await _parts(tx, bucket, params, version, version.checksum)
    if "StorageClass" in wanted:
        answer["StorageClass"] = version.storage_class
    if "ObjectSize" in wanted:
        answer["ObjectSize"] = version.size
    return answer


async def _parts(
    tx: Transaction, bucket: Bucket, params: Params, version: Version, checksum: Checksum | None
) -> dict[str, Any]:
    """Return a page of an object's parts, or how many there are where these have no checksums of their own."""
    most, after = parts_asked(params)
    if checksum is None or checksum.type != checksums.COMPOSITE:
        return {"TotalPartsCount": version.parts}
    parts = [part for part in await versions.parts_of(tx, bucket, params["Key"], version) if part.number > after]
    listed = parts[:most]
    member = checksums.member(checksum.algorithm)
    return {
        "TotalPartsCount": version.parts,
        "PartNumberMarker": after,
        "NextPartNumberMarker": listed[-1].number if listed else after,
        "MaxParts": most,
        "IsTruncated": len(parts) > most,
        "Parts": [{"PartNumber": part.number, "Size": part.size, member: part.checksum} for part in listed],
    }
