"""The operations on data protection policies of log groups."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.logs import errors, protection, subscription
from cloudlet.services.logs import group as groups
from cloudlet.services.logs.block import service


async def check(ctx: Context, text: str) -> None:
    """Raise unless a text is a data protection policy, and what it sends findings to is there."""
    for kind, name in protection.checked(text).findings:
        if kind == "CloudWatchLogs":
            await ctx.transact(lambda tx, name=name: _check_group(ctx, tx, name))  # type: ignore[misc]
            continue
        try:
            if kind == "S3":
                await ctx.call_as_caller("s3", "HeadBucket", {"Bucket": name})
            else:
                await ctx.call("firehose", "DescribeDeliveryStream", {"DeliveryStreamName": name})
        except AwsError as error:
            if error.status is not None and error.status >= 500:
                raise
            raise errors.invalid(f"Findings cannot be sent to {kind} {name}: {error.message}") from error


async def _check_group(ctx: Context, tx: Transaction, name: str) -> None:
    if await groups.find(tx, ctx.account, ctx.region, name) is None:
        raise errors.invalid(f"The log group {name} for findings does not exist.")


@service.direct("PutDataProtectionPolicy")
async def put_data_protection_policy(ctx: Context, params: Params) -> Result:
    identifier, text = params["logGroupIdentifier"], params["policyDocument"]
    await check(ctx, text)

    async def put(tx: Transaction) -> int:
        group = await groups.named(ctx, tx, groups.name_of(ctx, identifier))
        group.audit = await subscription.put_audit(ctx, tx, group.audit, group.name, "", text)
        group.protection = "ACTIVATED"
        groups.save(tx, group)
        return protection.put(ctx, tx, protection.of_group(group.id), text)

    since = await ctx.transact(put)
    return {"logGroupIdentifier": identifier, "policyDocument": text, "lastUpdatedTime": since}


@service.operation("GetDataProtectionPolicy")
async def get_data_protection_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    identifier = params["logGroupIdentifier"]
    group = await groups.named(ctx, tx, groups.name_of(ctx, identifier))
    found = await protection.current(tx, protection.of_group(group.id))
    if found is None:
        return {"logGroupIdentifier": identifier}
    since, text = found
    return {"logGroupIdentifier": identifier, "policyDocument": text, "lastUpdatedTime": since}


@service.operation("DeleteDataProtectionPolicy")
async def delete_data_protection_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, groups.name_of(ctx, params["logGroupIdentifier"]))
    if not group.audit:
        raise AwsError("ResourceNotFoundException", "The log group has no data protection policy.")
    subscription.forget(tx, group.audit)
    group.audit, group.protection = 0, "DELETED"
    groups.save(tx, group)
    protection.put(ctx, tx, protection.of_group(group.id), "")
    return None
