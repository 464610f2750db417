"""The operations that detect drift of stack sets, and tell of it."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws.resources.failures import ReasonedError
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.stack_sets import requests, stack_set_store
from cloudlet.services.cloudformation.stack_sets.role_chain import take_execution_role
from cloudlet.services.cloudformation.stack_sets.stack_set_record import Operation, StackInstance, StackSet, Target


@service.operation("DetectStackSetDrift")
async def detect_stack_set_drift(ctx: Context, tx: Transaction, params: Params) -> Result:
    requests.check_supported(params)
    stack_set, vault = await stack_set_store.get_live_set(ctx, tx, params["StackSetName"]), ctx.block.cloud.vault
    instances = await stack_set_store.list_instances(tx, vault, stack_set)
    targets = [target for target, one in sorted(instances.items()) if one.stack_id]
    operation = await requests.begin(ctx, tx, stack_set, "DETECT_DRIFT", targets, params)
    if operation is None:
        return {"OperationId": params["OperationId"]}
    for target in targets:
        begun = replace(instances[target], detailed="PENDING", operation=operation.id)
        stack_set_store.save_instance(tx, vault, stack_set, begun)
    return {"OperationId": operation.id}


@service.direct("ListStackInstanceResourceDrifts")
async def list_stack_instance_resource_drifts(ctx: Context, params: Params) -> Result:
    requests.check_supported(params)
    target = Target(params["StackInstanceAccount"], params["StackInstanceRegion"])

    async def load(tx: Transaction) -> tuple[StackSet, Operation, StackInstance | None]:
        stack_set = await stack_set_store.get_set(ctx, tx, params["StackSetName"])
        operation = await stack_set_store.get_operation(tx, stack_set, params["OperationId"])
        vault = ctx.block.cloud.vault
        return stack_set, operation, await stack_set_store.find_instance(tx, vault, stack_set, target)

    stack_set, operation, instance = await ctx.transact(load)
    if instance is None:
        raise AwsError(
            "StackInstanceNotFoundException",
            f"Stack instance not found for account {target.account} and region {target.region}",
        )
    if operation.action != "DETECT_DRIFT":
        raise AwsError("OperationNotFoundException", f"Operation {operation.id} has not detected drift")
    wanted = {
        "StackName": instance.stack_id,
        "StackResourceDriftStatusFilters": params.get("StackInstanceResourceDriftStatuses"),
        "NextToken": params.get("NextToken"),
        "MaxResults": params.get("MaxResults"),
    }
    try:
        principal = await take_execution_role(ctx.block, stack_set, operation, target.account)
    except ReasonedError as error:
        raise AwsError("ValidationError", error.reason) from None
    answer = await ctx.block.cloud.call(
        "cloudformation",
        "DescribeStackResourceDrifts",
        {key: value for key, value in wanted.items() if value is not None},
        principal=principal,
        account=target.account,
        region=target.region,
    )
    drifts = (answer or {})["StackResourceDrifts"]
    left_out = ("ExpectedProperties", "ActualProperties")
    summaries = [{key: value for key, value in one.items() if key not in left_out} for one in drifts]
    return {"Summaries": summaries, "NextToken": (answer or {}).get("NextToken")}
