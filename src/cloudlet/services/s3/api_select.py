"""S3 Select: the operation."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets.bucket import get_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket
from cloudlet.services.s3.object_data import contents, data_keys, reading
from cloudlet.services.s3.object_data.objects import Version
from cloudlet.services.s3.object_data.pieces import stored
from cloudlet.services.s3.permissions import encryption
from cloudlet.services.s3.querying import selecting
from cloudlet.services.s3.reports import request_metrics
from cloudlet.services.s3.retention import archive


@service.direct("SelectObjectContent")
async def select_object_content(ctx: Context, params: Params) -> Result:
    selecting.check(params)
    customer = encryption.customer_key(params)

    async def find(tx: Transaction) -> tuple[Bucket, Version, contents.ObjectData]:
        bucket = await get_bucket(ctx, tx, params["Bucket"])
        version = await reading.found(ctx, tx, bucket, params, "s3:GetObject", "s3:GetObjectVersion")
        encryption.check_key(version.encryption, customer)
        archive.check_readable(version, ctx.now())
        return bucket, version, await contents.load(tx, bucket, params["Key"], version)

    bucket, version, found = await ctx.transact(find)
    key = customer or await data_keys.unlock(ctx, bucket, params["Key"], version.encryption)
    release = ctx.block.blobs.read([part.blob for part in found.parts if part.blob])
    pieces = stored(ctx.block, found, 0, found.size, key)

    def ended(scanned: int, returned: int) -> None:
        request_metrics.selected(ctx, params, scanned, returned)

    try:
        return {"Payload": await selecting.answer(ctx.block, ctx.account, params, found.size, pieces, ended)}
    finally:
        release()
