"""The operations on policies of repositories and registries."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from cloudlet.core import Context, Params, Result, Transaction
from cloudlet.core.aws.policy import Effect
from cloudlet.services.ecr import access, errors, registry, repository
from cloudlet.services.ecr.access import open_repository
from cloudlet.services.ecr.api_repositories import show_name
from cloudlet.services.ecr.block import service

_CHANGING_POLICIES: Final = "ecr:setrepositorypolicy"


@service.operation("SetRepositoryPolicy")
async def set_repository_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "SetRepositoryPolicy")
    text = params["policyText"]
    policy = access.parse(text)
    locks_out = any(
        statement.effect is Effect.DENY and statement.actions.covers(_CHANGING_POLICIES)
        for statement in policy.statements
    )
    if locks_out and not params.get("force"):
        raise errors.InvalidParameter(
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'The policy may keep you from setting "
            "another one; set it with force if that is wanted'"
        )
    repository.save(tx, replace(found, policy=text))
    return {**show_name(found), "policyText": text}


@service.operation("GetRepositoryPolicy")
async def get_repository_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "GetRepositoryPolicy")
    if not found.policy:
        raise _RepositoryPolicyNotFound(found.name, found.account)
    return {**show_name(found), "policyText": found.policy}


@service.operation("DeleteRepositoryPolicy")
async def delete_repository_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await open_repository(ctx, tx, params, "DeleteRepositoryPolicy")
    if not found.policy:
        raise _RepositoryPolicyNotFound(found.name, found.account)
    repository.save(tx, replace(found, policy=""))
    return {**show_name(found), "policyText": found.policy}


class _RepositoryPolicyNotFound(errors.PolicyNotFound):
    """A repository without a policy."""

    def __init__(self, name: str, account: str) -> None:
        super().__init__("repository", name, account)


@service.operation("PutRegistryPolicy")
async def put_registry_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    text = params["policyText"]
    access.parse_for_registry(text)
    known = await registry.load(tx, ctx.account, ctx.region)
    registry.save(tx, replace(known, policy=text))
    return {"registryId": ctx.account, "policyText": text}


@service.operation("GetRegistryPolicy")
async def get_registry_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await registry.load(tx, ctx.account, ctx.region)
    if not known.policy:
        raise errors.RegistryPolicyNotFound(ctx.account)
    return {"registryId": ctx.account, "policyText": known.policy}


@service.operation("DeleteRegistryPolicy")
async def delete_registry_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await registry.load(tx, ctx.account, ctx.region)
    if not known.policy:
        raise errors.RegistryPolicyNotFound(ctx.account)
    registry.save(tx, replace(known, policy=""))
    return {"registryId": ctx.account, "policyText": known.policy}
