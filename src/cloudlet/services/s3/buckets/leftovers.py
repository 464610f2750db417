"""What deleted buckets leave of uploads that were under way: it may be much, and is removed by and by.

Nobody can reach it any more: it is kept under the bucket's number, which no other one gets.
"""

from __future__ import annotations

import asyncio
from functools import partial

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import KeyedTasks
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.timing import watching
from cloudlet.services.s3.buckets import bucket_record
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import multipart

_LEFT = Subspace("left-over")
"""Number of a bucket → its record."""
_TOPIC = b"left-over"
_LISTED = 50


async def note(tx: Transaction, bucket: Bucket) -> None:
    """Have what is left of a bucket removed, in the transaction that deletes it."""
    if await multipart.any_of(tx, bucket):
        tx.put(_LEFT.key(bucket.number), bucket_record.encode(bucket))
        tx.notify(_TOPIC)


async def remove(block: Block) -> None:
    """Remove what deleted buckets have left, until the block ends."""
    async with watching(block, _TOPIC) as changed:
        works = KeyedTasks(block, changed)

        async def listed(tx: Transaction) -> list[bytes]:
            return [key for key, _ in await tx.range(_LEFT.begin, _LEFT.end, limit=_LISTED + len(works))]

        while True:
            changed.clear()
            found = [key for key in await block.store.transact(listed) if key not in works]
            for key in found:
                await works.attempt(key, f"removing what is left of {key!r}", partial(_remove, block, key))
            if not found:
                await changed.wait()


async def _remove(block: Block, key: bytes) -> None:
    async def some(tx: Transaction) -> bool:
        raw = await tx.get(key)
        if raw is None:
            return False
        if await multipart.forget_some(tx, bucket_record.decode(raw), int(block.clock.now() * 1000)):
            return True
        tx.delete(key)
        return False

    while await block.store.transact(some):
        await asyncio.sleep(0)
