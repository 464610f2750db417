"""Configurations of which a bucket has several of a kind, each with an id: inventory, metrics, analytics and the like.

They are rows below the row of their kind, which is there as long as one of them is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import AwsError, Transaction
from cloudlet.services.s3.buckets.bucket import delete_configuration, put_configuration
from cloudlet.services.s3.buckets.bucket_record import Bucket

LISTED = 100
_MOST = 1000
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def none_such() -> AwsError:
    return AwsError("NoSuchConfiguration", "The specified configuration does not exist.", status=404)


async def put(tx: Transaction, bucket: Bucket, kind: str, id: str, value: Any) -> None:
    """Write a configuration. Raises TooManyConfigurations for the 1001st of a kind."""
    space = bucket.configurations.sub(kind)
    if await tx.get(space.key(id)) is None and len(await tx.range(space.key(""), space.end, limit=_MOST)) == _MOST:
        raise AwsError(
            "TooManyConfigurations",
            "You are attempting to create a new configuration but have already reached the 1,000-configuration limit.",
            status=400,
        )
    tx.put(space.key(id), _encode(value))
    put_configuration(tx, bucket, kind, None)


async def get(tx: Transaction, bucket: Bucket, kind: str, id: str) -> Any:
    """Return a configuration. Raises NoSuchConfiguration."""
    raw = await tx.get(bucket.configurations.sub(kind).key(id))
    if raw is None:
        raise none_such()
    return _decode(raw)


async def delete(tx: Transaction, bucket: Bucket, kind: str, id: str) -> None:
    """Remove a configuration. Raises NoSuchConfiguration."""
    await get(tx, bucket, kind, id)
    tx.delete(bucket.configurations.sub(kind).key(id))
    if not await listed(tx, bucket, kind, "", 1):
        delete_configuration(tx, bucket, kind)


async def listed(tx: Transaction, bucket: Bucket, kind: str, after: str, limit: int) -> list[tuple[str, Any]]:
    """Return up to `limit` configurations with their ids, in the order of these, behind an id."""
    if kind not in bucket.kinds:
        return []
    space = bucket.configurations.sub(kind)
    rows = await tx.range(space.key(after) + b"\x00", space.end, limit=limit)
    return [(space.unpack(key)[0], _decode(raw)) for key, raw in rows]
