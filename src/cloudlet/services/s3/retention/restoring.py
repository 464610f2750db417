"""Temporary copies of archived objects: they are there when their time has come, and go when it is over.

API reference, "RestoreObject"; user guide, "Restoring an archived object".
"""

from __future__ import annotations

import msgspec

from cloudlet.core import Subspace, Transaction
from cloudlet.core.background.jobs import Row, run_timers
from cloudlet.core.kernel.block import Block
from cloudlet.services.s3.buckets.bucket import find_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import events
from cloudlet.services.s3.object_data import versions
from cloudlet.services.s3.object_data.objects import Restore

_TOPIC = b"restore"
_DUE = Subspace("restore")
"""(Millisecond, bucket, its number, key, version id): when something changes about a copy."""


def schedule(tx: Transaction, bucket: Bucket, key: str, restore: Restore, version_id: str, now: float) -> None:
    """Let the copy of a version become ready, if it is not, and go. What was scheduled before does no harm."""
    for moment in (restore.ready, restore.expires):
        if moment > now * 1000:
            tx.put(_DUE.key(moment, bucket.name, bucket.number, key, version_id), b"")
    tx.notify(_TOPIC)


async def follow_restores(block: Block) -> None:
    """Do what is due about copies, until the block ends."""

    async def one(tx: Transaction, row: Row, now: float) -> None:
        moment, name, number, key, version_id = row
        bucket = await find_bucket(tx, name)
        if bucket is not None and bucket.number == number:
            await _follow(block, tx, bucket, key, version_id, moment)

    await run_timers(block, _TOPIC, _DUE, "the copy of", one)


async def _follow(block: Block, tx: Transaction, bucket: Bucket, key: str, version_id: str, moment: int) -> None:
    version = await versions.find(tx, bucket, key, version_id)
    if version is None or version.restore is None:
        return
    if version.restore.expires == moment:
        gone = msgspec.structs.replace(version, restore=None)
        await versions.rewrite(tx, bucket, key, gone)
        await events.note(block, tx, bucket, "ObjectRestore:Delete", key, version)
    elif version.restore.ready == moment:
        await events.note(block, tx, bucket, "ObjectRestore:Completed", key, version)
