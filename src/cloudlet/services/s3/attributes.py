"""GetObjectAttributes: what there is to know of an object, without its bytes."""

from __future__ import annotations

from typing import Any

from cloudlet.core import Context, Params, Transaction
from cloudlet.services.s3 import access, checksums, encryption, errors, reading, versions
from cloudlet.services.s3.bucket import get_bucket
from cloudlet.services.s3.bucket_record import Bucket
from cloudlet.services.s3.objects import Version
from cloudlet.services.s3.putting import version_of

_NAMES = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")
_LISTED = 1000


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
        answer["Checksum"] = checksums.shown(version.checksum)
    if "ObjectParts" in wanted and version.parts:
        answer["ObjectParts"] = await _parts(tx, bucket, params, version)
    if "StorageClass" in wanted:
        answer["StorageClass"] = version.storage_class
    if "ObjectSize" in wanted:
        answer["ObjectSize"] = version.size
    return answer


async def _parts(tx: Transaction, bucket: Bucket, params: Params, version: Version) -> dict[str, Any]:
    """Return a page of an object's parts."""
    most, after = params.get("MaxParts", _LISTED), params.get("PartNumberMarker", 0)
    if most < 0 or after < 0:
        raise errors.invalid_argument(
            "Argument max-parts and part-number-marker must be integers between 0 and 2147483647", "max-parts", most
        )
    most = min(most, _LISTED)
    parts = [part for part in await versions.parts_of(tx, bucket, params["Key"], version) if part.number > after]
    listed = parts[:most]
    member = checksums.member(checksums.DEFAULT if version.checksum is None else version.checksum.algorithm)
    return {
        "TotalPartsCount": version.parts,
        "PartNumberMarker": after,
        "NextPartNumberMarker": listed[-1].number if listed else after,
        "MaxParts": most,
        "IsTruncated": len(parts) > most,
        "Parts": [{"PartNumber": part.number, "Size": part.size, member: part.checksum} for part in listed],
    }
