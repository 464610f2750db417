"""What has happened to an object, for all who are to hear of it: subscribers of events, and replicas."""

from __future__ import annotations

from cloudlet.core import Context, Transaction
from cloudlet.core.kernel.block import Block
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.notifications import notices
from cloudlet.services.s3.object_data.objects import Version
from cloudlet.services.s3.replicas import replication


async def note(
    block: Block,
    tx: Transaction,
    bucket: Bucket,
    name: str,
    key: str,
    version: Version,
    ctx: Context | None = None,
) -> None:
    """Note an event, such as "ObjectCreated:Put", in the transaction that makes it happen, once all else is written.

    `version` is the one that was written, changed or removed; `ctx` the call that did it, None for what S3 does by
    itself. Buckets that have neither notifications nor replication are not read for it.
    """
    if "notification" in bucket.kinds:
        await notices.add(block, tx, bucket, name, key, version, ctx)
    if "replication" in bucket.kinds:
        await replication.enqueue(block, tx, bucket, name, key, version)
