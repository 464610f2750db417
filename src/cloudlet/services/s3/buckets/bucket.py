"""Buckets and their configurations. Names of buckets are unique among all accounts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import msgspec

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets import bucket_record
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.store import pack
from cloudlet.store.interface import Row

_BUCKETS: Final = Subspace("bucket")
_OWNERS: Final = Subspace("bucket-of")
_NUMBERS: Final = pack(("bucket-numbers",))
_CACHED_BUCKETS: Final = 1024

_decoded: Final[dict[bytes, Bucket]] = {}


def _bucket(raw: bytes) -> Bucket:
    """Return the bucket of a stored record. Decoded ones are kept: the same bytes mean the same bucket."""
    bucket = _decoded.get(raw)
    if bucket is None:
        if len(_decoded) >= _CACHED_BUCKETS:
            del _decoded[next(iter(_decoded))]
        bucket = _decoded[raw] = bucket_record.decode(raw)
    return bucket


@lru_cache(_CACHED_BUCKETS)
def _key(name: str) -> bytes:
    return _BUCKETS.key(name)


async def find_bucket(tx: Transaction, name: str) -> Bucket | None:
    """Return a bucket, or None."""
    raw = await tx.get(_key(name))
    return None if raw is None else _bucket(raw)


async def get_bucket(ctx: Context, tx: Transaction, name: str) -> Bucket:
    """Return a bucket. Raises NoSuchBucket."""
    raw = await tx.get(_key(name))
    if raw is None:
        raise errors.no_such_bucket(name)
    return _bucket(raw)


async def next_number(tx: Transaction) -> int:
    """Return a number that no bucket has or had."""
    tx.add(_NUMBERS, 1)
    return await tx.counter(_NUMBERS)


def store_bucket(tx: Transaction, bucket: Bucket) -> None:
    """Write a bucket's record; a new one gets its `number` from `next_number`."""
    tx.put(_BUCKETS.key(bucket.name), bucket_record.encode(bucket))
    tx.put(_OWNERS.key(bucket.account, bucket.name), b"")


async def is_empty(tx: Transaction, bucket: Bucket) -> bool:
    """Whether no version of any object is in a bucket, delete markers included."""
    return not await tx.range(bucket.objects.begin, bucket.objects.end, limit=1)


def remove_bucket(tx: Transaction, bucket: Bucket) -> None:
    """Delete an empty bucket's record and configurations."""
    tx.delete(_BUCKETS.key(bucket.name))
    tx.delete(_OWNERS.key(bucket.account, bucket.name))
    tx.delete_range(bucket.configurations.begin, bucket.configurations.end)


async def buckets_of(tx: Transaction, account: str, after: str, limit: int) -> list[Bucket]:
    """Return up to `limit` buckets of an account behind a name, in the order of their names."""
    space = _OWNERS.sub(account)
    begin = space.key(after) + b"\x00" if after else space.begin
    found = [await find_bucket(tx, space.unpack(key)[0]) for key, _ in await tx.range(begin, space.end, limit=limit)]
    return [bucket for bucket in found if bucket is not None]


async def all_buckets(tx: Transaction, after: bytes, limit: int) -> list[Row]:
    """Return up to `limit` buckets of all accounts, as they are stored, behind a key: for jobs."""
    return await tx.range(after + b"\x00" if after else _BUCKETS.begin, _BUCKETS.end, limit=limit)


def name_of(key: bytes) -> str:
    """Return the name of the bucket that is stored under a key."""
    name: str = _BUCKETS.unpack(key)[0]
    return name


async def configuration(tx: Transaction, bucket: Bucket, kind: str) -> Any:
    """Return a bucket's configuration of some kind as it was put (mostly the model's own dictionary), or None."""
    if kind not in bucket.kinds:
        return None
    raw = await tx.get(bucket.configurations.key(kind))
    return None if raw is None else msgspec.msgpack.decode(raw)


def put_configuration(tx: Transaction, bucket: Bucket, kind: str, value: Any) -> Bucket:
    """Write a configuration (of what msgpack can carry); return the bucket as it is now."""
    tx.put(bucket.configurations.key(kind), msgspec.msgpack.encode(value))
    if kind in bucket.kinds:
        return bucket
    changed = msgspec.structs.replace(bucket, kinds=tuple(sorted((*bucket.kinds, kind))))
    store_bucket(tx, changed)
    return changed


def delete_configuration(tx: Transaction, bucket: Bucket, kind: str) -> Bucket:
    """Remove a configuration, if there is one; return the bucket as it is now."""
    if kind not in bucket.kinds:
        return bucket
    tx.delete(bucket.configurations.key(kind))
    changed = msgspec.structs.replace(bucket, kinds=tuple(each for each in bucket.kinds if each != kind))
    store_bucket(tx, changed)
    return changed
