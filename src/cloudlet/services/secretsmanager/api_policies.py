"""The operations on resource policies. A secret has one, `default`."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.authorization.resource_policy import decide
from cloudlet.core.aws import page_tokens
from cloudlet.services.secretsmanager import access, errors, policies, replication, secret
from cloudlet.services.secretsmanager.access import open_secret
from cloudlet.services.secretsmanager.block import service

_DEFAULT = "default"


@service.operation("PutResourcePolicy")
async def put_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_name(params)
    before = await open_secret(ctx, tx, params, "PutResourcePolicy")
    policy = policies.parse(params["ResourcePolicy"])
    if params.get("BlockPublicPolicy") and policies.is_public(policy):
        raise errors.PublicPolicy
    after = replace(before, policy=params["ResourcePolicy"], changed=ctx.now())
    secret.save(tx, await replication.update_replicas(tx, ctx.block, after), before)
    return {"ARN": before.arn, "Name": before.name, "PolicyName": _DEFAULT}


@service.operation("GetResourcePolicy")
async def get_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_secret(ctx, tx, params, "GetResourcePolicy", admits_replica=True)
    if (params.get("PolicyName") or _DEFAULT) != _DEFAULT:
        raise errors.ResourceNotFound(f"Secrets Manager can't find the resource policy {params['PolicyName']}.")
    return {
        "ARN": found.arn,
        "Name": found.name,
        "ResourcePolicy": found.policy or None,
        "PolicyName": _DEFAULT if found.policy else None,
    }


@service.operation("DeleteResourcePolicy")
async def delete_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_name(params)
    before = await open_secret(ctx, tx, params, "DeleteResourcePolicy")
    if before.policy:
        after = replace(before, policy="", changed=ctx.now())
        secret.save(tx, await replication.update_replicas(tx, ctx.block, after), before)
    return {"ARN": before.arn, "Name": before.name, "PolicyName": _DEFAULT}


@service.operation("ListResourcePolicies")
async def list_resource_policies(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_secret(ctx, tx, params, "ListResourcePolicies", admits_replica=True)
    after = page_tokens.parse_name_token(params.get("NextToken"), errors.InvalidNextToken())
    names = [_DEFAULT] if found.policy and after < _DEFAULT else []
    return {"ResourcePolicies": [{"PolicyName": name} for name in names[: params.get("MaxResults")]]}


@service.operation("ValidateResourcePolicy")
async def validate_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Check that a policy neither lets in everybody nor locks out the caller."""
    policy = policies.parse(params["ResourcePolicy"])
    found: list[dict[str, Any]] = []
    if policies.is_public(policy):
        found.append({"CheckName": "BroadAccess", "ErrorMessage": errors.PublicPolicy().message})
    if params.get("SecretId"):
        about = await open_secret(ctx, tx, params, "ValidateResourcePolicy", admits_replica=True)
        decision = decide(
            ctx, "secretsmanager:PutResourcePolicy", about.arn, about.account, params["ResourcePolicy"], {}
        )
        if not decision.allowed:
            found.append({"CheckName": "Lockout", "ErrorMessage": "The resource policy locks out the caller."})
    else:
        access.authorize_account(ctx, "ValidateResourcePolicy", params)
    return {"PolicyValidationPassed": not found, "ValidationErrors": found}


def _check_name(params: Params) -> None:
    if (params.get("PolicyName") or _DEFAULT) != _DEFAULT:
        raise errors.InvalidParameter("You can only modify the default policy.")
