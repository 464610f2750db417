"""The operations on acceleration, and on what has an id: inventories, metrics, analytics, tiers of a bucket."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.s3 import errors
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets import identified
from cloudlet.services.s3.buckets.bucket import configuration, put_configuration
from cloudlet.services.s3.object_data import continuation
from cloudlet.services.s3.permissions import access
from cloudlet.services.s3.reports import inventory, request_metrics


def _declare(kind: str) -> None:
    """Declare the operations on one kind of configurations."""

    @service.operation(f"PutBucket{kind}Configuration")
    async def put(ctx: Context, tx: Transaction, params: Params) -> Result:
        bucket = await access.bucket_for(ctx, tx, params, f"s3:Put{kind}Configuration")
        value = params[f"{kind}Configuration"]
        if value["Id"] != params["Id"]:
            raise _other_id(kind)
        if kind == "Inventory":
            await inventory.check(tx, bucket, value)
        if kind == "Metrics":
            request_metrics.check(params["Id"], value)
            request_metrics.of(ctx).bucket = bucket
            tx.notify(request_metrics.TOPIC)
        await identified.put(tx, bucket, kind, params["Id"], value)
        if kind == "Inventory":
            inventory.changed(tx)
        ctx.response_status = 204
        return None

    @service.operation(f"GetBucket{kind}Configuration")
    async def get(ctx: Context, tx: Transaction, params: Params) -> Result:
        bucket = await access.bucket_for(ctx, tx, params, f"s3:Get{kind}Configuration")
        return {f"{kind}Configuration": await identified.get(tx, bucket, kind, params["Id"])}

    @service.operation(f"DeleteBucket{kind}Configuration")
    async def delete(ctx: Context, tx: Transaction, params: Params) -> Result:
        bucket = await access.bucket_for(ctx, tx, params, f"s3:Put{kind}Configuration")
        await identified.delete(tx, bucket, kind, params["Id"])
        if kind == "Metrics":
            tx.notify(request_metrics.TOPIC)
        return None

    @service.operation(f"ListBucket{kind}Configurations")
    async def list(ctx: Context, tx: Transaction, params: Params) -> Result:
        bucket = await access.bucket_for(ctx, tx, params, f"s3:Get{kind}Configuration")
        token = params.get("ContinuationToken")
        after = "" if token is None else continuation.name_of(token)
        found = await identified.listed(tx, bucket, kind, after, identified.LISTED + 1)
        shown = found[: identified.LISTED]
        more = len(found) > len(shown)
        return {
            f"{kind}ConfigurationList": [value for _, value in shown],
            "IsTruncated": more,
            "ContinuationToken": token,
            "NextContinuationToken": continuation.token_of(shown[-1][0]) if more else None,
        }


def _other_id(kind: str) -> AwsError:
    """Return the error for a document whose id is not the one of the request (error responses; seen: aws-sdk #336)."""
    if kind != "Inventory":
        return errors.malformed_xml()
    return AwsError("IdMismatch", "Document ID does not match the specified configuration ID.", status=400)


for _kind in ("Analytics", "IntelligentTiering", "Inventory", "Metrics"):
    _declare(_kind)


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
