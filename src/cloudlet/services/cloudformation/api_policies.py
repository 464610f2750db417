"""The operations on stack policies."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.cloudformation import errors, stack_policies, stacks
from cloudlet.services.cloudformation.block import service


@service.direct("SetStackPolicy")
async def set_stack_policy(ctx: Context, params: Params) -> Result:
    policy = await stack_policies.load_policy(
        ctx, "StackPolicy", params.get("StackPolicyBody"), params.get("StackPolicyURL")
    )
    if not policy:
        raise errors.make_validation_error("Either StackPolicyBody or StackPolicyURL must be specified")

    async def save(tx: Transaction) -> Result:
        found = await stacks.get_live(ctx, tx, params["StackName"])
        stacks.save(tx, replace(found, policy=policy))
        return {}

    return await ctx.transact(save)


@service.operation("GetStackPolicy")
async def get_stack_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await stacks.get(ctx, tx, params["StackName"])
    return {"StackPolicyBody": found.policy} if found.policy else {}
