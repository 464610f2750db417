"""The operations on key policies."""

from __future__ import annotations

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.services.kms import access, errors, keys, policies
from cloudlet.services.kms.block import service


@service.operation("GetKeyPolicy")
async def get_key_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params.get("PolicyName") or policies.NAME
    key = await access.get_key(ctx, tx, params["KeyId"], "GetKeyPolicy", {"kms:PolicyName": name})
    if name != policies.NAME:
        raise AwsError("NotFoundException", "No such policy exists")
    return {"Policy": key.policy, "PolicyName": name}


@service.operation("PutKeyPolicy")
async def put_key_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params.get("PolicyName") or policies.NAME
    bypasses_check = bool(params.get("BypassPolicyLockoutSafetyCheck"))
    conditions = {
        "kms:PolicyName": name,
        "kms:BypassPolicyLockoutSafetyCheck": "true" if bypasses_check else "false",
    }
    key = await access.get_key(ctx, tx, params["KeyId"], "PutKeyPolicy", conditions)
    if name == "AWS_RAM":
        raise errors.ValidationError("The AWS_RAM policy can only be managed by the RAM service.")
    if name != policies.NAME:
        raise errors.ValidationError(f"Invalid policy name {name}: only {policies.NAME} is supported.")
    policies.validate(ctx, key.arn, params["Policy"], bypasses_check=bypasses_check)
    keys.save(tx, replace(key, policy=params["Policy"]))
    return {}


@service.operation("ListKeyPolicies")
async def list_key_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
    """List the one policy that a key has; no page comes after it."""
    await access.get_key(ctx, tx, params["KeyId"], "ListKeyPolicies")
    if params.get("Marker"):
        raise errors.InvalidMarker
    return {"PolicyNames": [policies.NAME], "Truncated": False}
