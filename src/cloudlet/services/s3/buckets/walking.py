"""Going through all buckets, or all versions in one, page by page, for jobs: each page is a transaction of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from cloudlet.core import Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.services.s3.buckets import bucket_record
from cloudlet.services.s3.buckets.bucket import all_buckets
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data.objects import Version, decode, split
from cloudlet.store import pack

_BUCKETS = 100
_ROWS = 200


class Placed(NamedTuple):
    """A version in its place among those of its key."""

    key: str
    version: Version
    current: bool
    noncurrent_since: float
    """When the next newer version came, in seconds since the epoch; 0 where there is none."""
    newer: int
    """How many noncurrent versions of the key are newer."""


async def every_bucket(block: Block, works: KeyedTasks) -> AsyncIterator[Bucket]:
    """Yield the buckets of all accounts, in the order of their names, but for those that rest among some works."""
    after = b""
    while rows := await block.store.transact(lambda tx, after=after: all_buckets(tx, after, _BUCKETS)):  # type: ignore[misc]
        for bucket in works.decode_rows(rows, "the bucket", bucket_record.decode).values():
            yield bucket
        after = rows[-1][0]


async def walk(block: Block, bucket: Bucket, prefix: str = "") -> AsyncIterator[list[Placed]]:
    """Yield all versions whose keys begin with `prefix`, in pages: by key, those of a key from the newest on."""
    begin = bucket.objects.prefix + pack((prefix,))[:-1]
    end = begin + b"\xff"
    last: Placed | None = None
    while True:

        async def page(tx: Transaction, begin: bytes = begin) -> list[tuple[bytes, bytes]]:
            return await tx.range(begin, end, limit=_ROWS)

        rows = await block.store.transact(page)
        found: list[Placed] = []
        for row, raw in rows:
            last = _after(last, split(bucket, row)[0], decode(raw))
            found.append(last)
        yield found
        if len(rows) < _ROWS:
            return
        begin = rows[-1][0] + b"\x00"
        await asyncio.sleep(0)


def _after(last: Placed | None, key: str, version: Version) -> Placed:
    """Return a version with its place, given the one before it."""
    if last is None or last.key != key:
        return Placed(key, version, True, 0.0, 0)
    return Placed(key, version, False, last.version.modified / 1000, 0 if last.current else last.newer + 1)
