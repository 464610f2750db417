"""Annotations of object versions: what is stored of them, and how they come, go and are carried to copies.

S3 user guide, "Annotating your objects"; API reference, PutObjectAnnotation. An annotation is below the place of its
version, which counts its annotations: a version that has none costs nothing more. Small payloads are in rows, others
in files, as the contents of objects are. Nothing here looks at permissions; `now` is in milliseconds since the epoch.
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Transaction
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import garbage
from cloudlet.services.s3.object_data.objects import Checksum
from cloudlet.store import pack
from cloudlet.store.tuple_keys import successor, unpack

LIMIT = 1000
"""How many annotations a version can have."""
LARGEST_BYTES = 1 << 20
"""The size of the largest payload."""


class Annotation(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of an annotation, but for the bytes of a small one. `modified` is in milliseconds."""

    modified: int
    size: int
    etag: str
    """Without quotes. It stays on copies, and when the encryption of the object is changed."""
    checksum: Checksum
    blob: str = ""
    """The file with its payload; "" where that is in `bucket.annotation_data`."""
    nonce: str = ""
    """The nonce of its payload under its object's data key, if any."""


class Carried(msgspec.Struct, frozen=True):
    """An annotation on its way to another version, with the payload of a small one."""

    name: str
    annotation: Annotation
    data: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Annotation).decode


async def find(tx: Transaction, bucket: Bucket, where: bytes, name: str) -> Annotation | None:
    """Return an annotation of the version at a place (`versions.where`), or None."""
    raw = await tx.get(bucket.annotations.prefix + where + pack((name,)))
    return None if raw is None else _decode(raw)


async def data(tx: Transaction, bucket: Bucket, where: bytes, name: str, annotation: Annotation) -> bytes:
    """Return the payload of an annotation that is in no file."""
    if annotation.blob:
        return b""
    return await tx.get(bucket.annotation_data.prefix + where + pack((name,))) or b""


async def page(
    tx: Transaction, bucket: Bucket, where: bytes, *, prefix: str = "", after: str = "", limit: int = LIMIT
) -> list[tuple[str, Annotation]]:
    """Return up to `limit` annotations behind a name whose names have a prefix, in the order of their UTF-8."""
    base = bucket.annotations.prefix + where
    first = base + pack((prefix,))[:-1]
    begin = max(first, base + pack((after,)) + b"\x00") if after else first
    rows = await tx.range(begin, successor(first), limit=limit)
    return [(str(unpack(row[len(base) :])[0]), _decode(raw)) for row, raw in rows]


async def put(
    tx: Transaction, bucket: Bucket, where: bytes, name: str, annotation: Annotation, payload: bytes, now: int
) -> None:
    """Write an annotation in the place of the one with its name, if any; its file is claimed, that one's released."""
    await remove(tx, bucket, where, name, now)
    _write(tx, bucket, where, Carried(name, annotation, payload))


def _write(tx: Transaction, bucket: Bucket, where: bytes, carried: Carried) -> None:
    row, annotation = where + pack((carried.name,)), carried.annotation
    tx.put(bucket.annotations.prefix + row, _encode(annotation))
    if annotation.blob:
        garbage.claim(tx, [annotation.blob])
    else:
        tx.put(bucket.annotation_data.prefix + row, carried.data)


async def remove(tx: Transaction, bucket: Bucket, where: bytes, name: str, now: int) -> bool:
    """Remove an annotation; return whether it was there."""
    before = await find(tx, bucket, where, name)
    if before is None:
        return False
    row = where + pack((name,))
    tx.delete(bucket.annotations.prefix + row)
    if before.blob:
        garbage.release(tx, [before.blob], now)
    else:
        tx.delete(bucket.annotation_data.prefix + row)
    return True


async def remove_all(tx: Transaction, bucket: Bucket, where: bytes, now: int) -> None:
    """Remove the annotations of a version."""
    listed = await page(tx, bucket, where)
    garbage.release(tx, [annotation.blob for _, annotation in listed if annotation.blob], now)
    for space in (bucket.annotations, bucket.annotation_data):
        tx.delete_range(space.prefix + where, space.prefix + where + b"\xff")


async def load_all(tx: Transaction, bucket: Bucket, where: bytes) -> list[Carried]:
    """Return the annotations of a version, to be carried to another one."""
    return [
        Carried(name, annotation, await data(tx, bucket, where, name, annotation))
        for name, annotation in await page(tx, bucket, where)
    ]


def blobs_of(carried: list[Carried]) -> list[str]:
    """Return the files of annotations."""
    return [each.annotation.blob for each in carried if each.annotation.blob]


async def replace_all(tx: Transaction, bucket: Bucket, where: bytes, carried: list[Carried], now: int) -> None:
    """Give a version these annotations and no others; its record must count them."""
    await remove_all(tx, bucket, where, now)
    for each in carried:
        _write(tx, bucket, where, each)
