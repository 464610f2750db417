"""The operations on stack policies."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.services.cloudformation import errors, stack_policies, stacks
from cloudlet.services.cloudformation.block import service


@service.operation("SetStackPolicy")
async def set_stack_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("StackPolicyURL"):
        raise errors.make_not_built("the parameter StackPolicyURL")
    if not params.get("StackPolicyBody"):
        raise errors.make_validation_error("Either StackPolicyBody or StackPolicyURL must be specified")
    found = await stacks.get_live(ctx, tx, params["StackName"])
    stacks.save(tx, replace(found, policy=stack_policies.validate_policy(params["StackPolicyBody"])))
    return {}


@service.operation("GetStackPolicy")
async def get_stack_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await stacks.get(ctx, tx, params["StackName"])
    return {"StackPolicyBody": found.policy} if found.policy else {}
