"""The operations on inventories, metrics, analytics, tiers and acceleration of buckets, and S3 Select."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.s3 import (
    access,
    archive,
    contents,
    encryption,
    errors,
    identified,
    inventory,
    reading,
    selecting,
)
from cloudlet.services.s3.block import service
from cloudlet.services.s3.bucket import configuration, get_bucket, put_configuration

_PERMISSIONS = {
    "Analytics": "AnalyticsConfiguration",
    "IntelligentTiering": "IntelligentTieringConfiguration",
    "Inventory": "InventoryConfiguration",
    "Metrics": "MetricsConfiguration",
}
"""The names of permissions, without Get and Put, of the kinds of configurations that have an id."""


async def _put(ctx: Context, tx: Transaction, params: Params, kind: str) -> None:
    bucket = await access.bucket_for(ctx, tx, params, f"s3:Put{_PERMISSIONS[kind]}")
    value = params[f"{kind}Configuration"]
    if value["Id"] != params["Id"]:
        raise errors.invalid_argument("The id in the body is not the one of the request.", "Id", params["Id"])
    if kind == "Inventory":
        await inventory.check(tx, bucket, value)
    await identified.put(tx, bucket, kind, params["Id"], value)
    if kind == "Inventory":
        inventory.changed(tx)


async def _get(ctx: Context, tx: Transaction, params: Params, kind: str) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, f"s3:Get{_PERMISSIONS[kind]}")
    return {f"{kind}Configuration": await identified.get(tx, bucket, kind, params["Id"])}


async def _delete(ctx: Context, tx: Transaction, params: Params, kind: str) -> None:
    bucket = await access.bucket_for(ctx, tx, params, f"s3:Put{_PERMISSIONS[kind]}")
    await identified.delete(tx, bucket, kind, params["Id"])


async def _list(ctx: Context, tx: Transaction, params: Params, kind: str) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, f"s3:Get{_PERMISSIONS[kind]}")
    after = params.get("ContinuationToken") or ""
    found = await identified.listed(tx, bucket, kind, after, identified.LISTED + 1)
    shown = found[: identified.LISTED]
    more = len(found) > len(shown)
    return {
        f"{kind}ConfigurationList": [value for _, value in shown],
        "IsTruncated": more,
        "ContinuationToken": params.get("ContinuationToken"),
        "NextContinuationToken": shown[-1][0] if more else None,
    }


@service.operation("PutBucketAnalyticsConfiguration")
async def put_bucket_analytics_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _put(ctx, tx, params, "Analytics")
    return None


@service.operation("GetBucketAnalyticsConfiguration")
async def get_bucket_analytics_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _get(ctx, tx, params, "Analytics")


@service.operation("DeleteBucketAnalyticsConfiguration")
async def delete_bucket_analytics_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _delete(ctx, tx, params, "Analytics")
    return None


@service.operation("ListBucketAnalyticsConfigurations")
async def list_bucket_analytics_configurations(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _list(ctx, tx, params, "Analytics")


@service.operation("PutBucketIntelligentTieringConfiguration")
async def put_bucket_intelligent_tiering_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _put(ctx, tx, params, "IntelligentTiering")
    return None


@service.operation("GetBucketIntelligentTieringConfiguration")
async def get_bucket_intelligent_tiering_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _get(ctx, tx, params, "IntelligentTiering")


@service.operation("DeleteBucketIntelligentTieringConfiguration")
async def delete_bucket_intelligent_tiering_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _delete(ctx, tx, params, "IntelligentTiering")
    return None


@service.operation("ListBucketIntelligentTieringConfigurations")
async def list_bucket_intelligent_tiering_configurations(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _list(ctx, tx, params, "IntelligentTiering")


@service.operation("PutBucketInventoryConfiguration")
async def put_bucket_inventory_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _put(ctx, tx, params, "Inventory")
    return None


@service.operation("GetBucketInventoryConfiguration")
async def get_bucket_inventory_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _get(ctx, tx, params, "Inventory")


@service.operation("DeleteBucketInventoryConfiguration")
async def delete_bucket_inventory_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _delete(ctx, tx, params, "Inventory")
    return None


@service.operation("ListBucketInventoryConfigurations")
async def list_bucket_inventory_configurations(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _list(ctx, tx, params, "Inventory")


@service.operation("PutBucketMetricsConfiguration")
async def put_bucket_metrics_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _put(ctx, tx, params, "Metrics")
    return None


@service.operation("GetBucketMetricsConfiguration")
async def get_bucket_metrics_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _get(ctx, tx, params, "Metrics")


@service.operation("DeleteBucketMetricsConfiguration")
async def delete_bucket_metrics_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    await _delete(ctx, tx, params, "Metrics")
    return None


@service.operation("ListBucketMetricsConfigurations")
async def list_bucket_metrics_configurations(ctx: Context, tx: Transaction, params: Params) -> Result:
    return await _list(ctx, tx, params, "Metrics")


@service.operation("PutBucketAccelerateConfiguration")
async def put_bucket_accelerate_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:PutAccelerateConfiguration")
    if "." in bucket.name:
        message = "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names"
        raise errors.invalid_request(message)
    status = params["AccelerateConfiguration"].get("Status")
    if status is None:
        raise errors.malformed_xml()
    put_configuration(tx, bucket, "accelerate", status)
    return None


@service.operation("GetBucketAccelerateConfiguration")
async def get_bucket_accelerate_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    bucket = await access.bucket_for(ctx, tx, params, "s3:GetAccelerateConfiguration")
    return {"Status": await configuration(tx, bucket, "accelerate")}


@service.direct("SelectObjectContent")
async def select_object_content(ctx: Context, params: Params) -> Result:
    selecting.check(params)
    key = encryption.customer_key(params)

    async def find(tx: Transaction) -> contents.Contents:
        bucket = await get_bucket(ctx, tx, params["Bucket"])
        version = await reading.found(ctx, tx, bucket, params, "s3:GetObject", "s3:GetObjectVersion")
        encryption.check_key(version.encryption, key)
        archive.check_readable(version, ctx.now())
        return await contents.load(tx, bucket, params["Key"], version)

    found = await ctx.transact(find)
    pieces = contents.read(ctx.block, found, 0, found.size, key)
    return {"Payload": await selecting.answer(params, found.size, pieces, ctx.now())}
