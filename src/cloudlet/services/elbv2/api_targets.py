"""The operations on targets."""

from __future__ import annotations

from cloudlet.core import Context, FinalTransaction, Params, Result, Transaction
from cloudlet.services.elbv2 import targets
from cloudlet.services.elbv2.block import service
from cloudlet.services.elbv2.errors import UnsupportedFeature, ValidationError
from cloudlet.services.elbv2.storing import get_target_group


@service.direct("RegisterTargets")
async def register_targets(ctx: Context, params: Params) -> FinalTransaction:
    arn = params["TargetGroupArn"]
    group = await ctx.transact(lambda tx: get_target_group(ctx, tx, arn))
    made = await targets.make(ctx, group, params["Targets"])

    async def register(tx: Transaction) -> Result:
        await targets.register(ctx, tx, await get_target_group(ctx, tx, arn), made)
        return {}

    return FinalTransaction(register)


@service.operation("DeregisterTargets")
async def deregister_targets(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await get_target_group(ctx, tx, params["TargetGroupArn"])
    if not params["Targets"]:
        raise ValidationError("A target must be specified")
    await targets.remove_gracefully(ctx, tx, group, params["Targets"])
    return {}


@service.operation("DescribeTargetHealth")
async def describe_target_health(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("Include"):
        raise UnsupportedFeature("the detection of anomalies (Include)")
    group = await get_target_group(ctx, tx, params["TargetGroupArn"])
    return {"TargetHealthDescriptions": await targets.list_health(ctx, tx, group, params.get("Targets"))}
