"""The versions of objects: finding, adding and removing them, as the bucket's versioning says.

S3 user guide, "How S3 Versioning works". All of these can be called in any transaction, by jobs too; `now` is in
milliseconds since the epoch. None looks at permissions or locks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.core.kernel.ids import random_bytes
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import annotating, garbage
from cloudlet.services.s3.object_data.objects import (
    LAST,
    NULL,
    Part,
    Version,
    behind,
    decode,
    decode_parts,
    encode,
    encode_parts,
    new_id,
    order_of,
    place,
    split,
)

if TYPE_CHECKING:
    from cloudlet.services.s3.object_data.contents import ObjectData

_CHANCE_BITS: Final = 15
"""Of an order, behind the millisecond: so it lasts until the year 9999."""


async def newest(tx: Transaction, bucket: Bucket, key: str) -> Version | None:
    """Return the newest version of a key, which may be a delete marker, or None."""
    if not bucket.versioning:
        raw = await tx.get(bucket.objects.prefix + place(key, LAST))
        return None if raw is None else decode(raw)
    found = await _newest(tx, bucket, key)
    return None if found is None else found[1]


async def _newest(tx: Transaction, bucket: Bucket, key: str) -> tuple[int, Version] | None:
    rows = await tx.range(bucket.objects.prefix + place(key, 0)[:-1], behind(bucket, key), limit=1)
    return (split(bucket, rows[0][0])[1], decode(rows[0][1])) if rows else None


async def current(tx: Transaction, bucket: Bucket, key: str) -> Version | None:
    """Return the version that a key stands for, or None, also where it is deleted."""
    version = await newest(tx, bucket, key)
    return None if version is None or version.marker else version


async def find(tx: Transaction, bucket: Bucket, key: str, version_id: str) -> Version | None:
    """Return a version by its id, or None. Raises AwsError for what cannot be an id."""
    if version_id != NULL:
        order = order_of(version_id)
    else:
        order = await _null_order(tx, bucket, key) if bucket.versioning else LAST
    raw = await tx.get(bucket.objects.prefix + place(key, order))
    version = None if raw is None else decode(raw)
    return version if version is not None and version.id == version_id else None


async def _null_order(tx: Transaction, bucket: Bucket, key: str) -> int:
    """Return the order of the null version of a key, in a bucket that has, or had, versioning; else it is the last."""
    raw = await tx.get(bucket.nulls.key(key))
    return LAST if raw is None else int.from_bytes(raw, "big")


async def _order(tx: Transaction, bucket: Bucket, key: str, version: Version) -> int:
    if version.id != NULL:
        return order_of(version.id)
    return await _null_order(tx, bucket, key) if bucket.versioning else LAST


async def put(
    tx: Transaction,
    bucket: Bucket,
    key: str,
    version: Version,
    now: int,
    *,
    data: bytes = b"",
    parts: tuple[Part, ...] = (),
) -> Version:
    """Add a version and return it with its id; a null version takes the place of the one before.

    A version that has an id already (a replica) keeps it; AwsError is raised where its place is another's. `data` are
    the bytes of a small object, `parts` the parts of one that has some. The files that it refers to must be claimed,
    those of a version that it replaces are released.
    """
    order, version = await _placed(tx, bucket, key, version, now)
    at = place(key, order)
    tx.put(bucket.objects.prefix + at, encode(version))
    if data or parts:
        tx.put(bucket.contents.prefix + at, encode_parts(parts) if parts else data)
    return version


async def _placed(tx: Transaction, bucket: Bucket, key: str, version: Version, now: int) -> tuple[int, Version]:
    """Return the order and the final record of a version that is to be added; make way for it."""
    if not bucket.versioning:
        await _remove_null(tx, bucket, key, now)
        return LAST, version if version.id == NULL else msgspec.structs.replace(version, id=NULL)
    if version.id not in ("", NULL):
        order = order_of(version.id)
        if await tx.get(bucket.objects.prefix + place(key, order)) is not None:
            raise AwsError("OperationAborted", "Another version of this object has the same place.", status=409)
        return order, version
    if bucket.versioning == "Suspended":
        await _remove_null(tx, bucket, key, now)
    before = await _newest(tx, bucket, key)
    # What is written in one moment to buckets that replicate to one another has to have places of its own in both.
    order = LAST - 1 - (now << _CHANCE_BITS) - (int.from_bytes(random_bytes(2), "big") >> (16 - _CHANCE_BITS))
    if before is not None:
        order = min(order, before[0] - 1)
    if bucket.versioning == "Enabled":
        return order, msgspec.structs.replace(version, id=new_id(order))
    if before is None:
        return LAST, msgspec.structs.replace(version, id=NULL)
    tx.put(bucket.nulls.key(key), order.to_bytes(8, "big"))
    return order, msgspec.structs.replace(version, id=NULL)


async def _remove_null(tx: Transaction, bucket: Bucket, key: str, now: int) -> None:
    order = await _null_order(tx, bucket, key) if bucket.versioning else LAST
    raw = await tx.get(bucket.objects.prefix + place(key, order))
    if raw is not None:
        await _remove(tx, bucket, key, order, decode(raw), now)


async def where(tx: Transaction, bucket: Bucket, key: str, version: Version) -> bytes:
    """Return the place of a version that is there: what its rows have behind the prefixes of their subspaces."""
    return place(key, await _order(tx, bucket, key, version))


async def rewrite(tx: Transaction, bucket: Bucket, key: str, version: Version) -> None:
    """Write the changed record of a version that is there: its tags, its lock, its storage class."""
    tx.put(bucket.objects.prefix + await where(tx, bucket, key, version), encode(version))


async def replace_contents(
    tx: Transaction, bucket: Bucket, key: str, version: Version, contents: ObjectData, now: int
) -> None:
    """Write a version that is there, with the same bytes in other rows or files."""
    at = await where(tx, bucket, key, version)
    if version.parts:
        before = [part.blob for part in await parts_of(tx, bucket, key, version)]
        tx.put(bucket.contents.prefix + at, encode_parts(contents.parts))
    else:
        before = [version.blob]
        if contents.parts:
            version = msgspec.structs.replace(version, blob=contents.parts[0].blob)
        elif version.size:
            tx.put(bucket.contents.prefix + at, contents.data)
    garbage.release(tx, [blob for blob in before if blob], now)
    garbage.claim(tx, [part.blob for part in contents.parts])
    tx.put(bucket.objects.prefix + at, encode(version))


def _has_contents(version: Version) -> bool:
    """Whether a version has a row in `bucket.contents`: its bytes, or its parts, which may have none."""
    return not version.blob and bool(version.size or version.parts)


async def contents(tx: Transaction, bucket: Bucket, key: str, version: Version) -> bytes:
    """Return the bytes of a small object, or the encoded parts of one that has parts; else nothing."""
    if not _has_contents(version):
        return b""
    order = await _order(tx, bucket, key, version)
    return await tx.get(bucket.contents.prefix + place(key, order)) or b""


async def parts_of(tx: Transaction, bucket: Bucket, key: str, version: Version) -> tuple[Part, ...]:
    """Return the parts of a version that was uploaded in parts."""
    return decode_parts(await contents(tx, bucket, key, version)) if version.parts else ()


async def remove(tx: Transaction, bucket: Bucket, key: str, version: Version, now: int) -> None:
    """Delete a version, or a delete marker, for good."""
    await _remove(tx, bucket, key, await _order(tx, bucket, key, version), version, now)


async def _remove(tx: Transaction, bucket: Bucket, key: str, order: int, version: Version, now: int) -> None:
    at = place(key, order)
    if version.parts:
        raw = await tx.get(bucket.contents.prefix + at)
        garbage.release(tx, [part.blob for part in decode_parts(raw or b"\x90") if part.blob], now)
    elif version.blob:
        garbage.release(tx, [version.blob], now)
    if version.annotations:
        await annotating.remove_all(tx, bucket, at, now)
    tx.delete(bucket.objects.prefix + at)
    if _has_contents(version):
        tx.delete(bucket.contents.prefix + at)
    if version.id == NULL and order != LAST:
        tx.delete(bucket.nulls.key(key))


async def delete(tx: Transaction, bucket: Bucket, key: str, now: int) -> Version | None:
    """Delete a key as a DELETE that names no version does.

    Return the delete marker that now stands for it, or None where the bucket has no versioning and the object is gone.
    """
    if not bucket.versioning:
        await _remove_null(tx, bucket, key, now)
        return None
    return await put(tx, bucket, key, Version("", now, marker=True), now)
