"""Permissions of callers: identity-based policies, the repository's own and the registry's, where they are enforced.

User guide, "Private repository policies" and "Private registry permissions".
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from cloudlet.core import Context, Params, Transaction
from cloudlet.core.authorization import enforcement
from cloudlet.core.authorization.resource_policy import decide_by, parse_policy
from cloudlet.core.aws import tags
from cloudlet.core.aws.policy import NamedPolicy, Policy, PolicyError, Usage
from cloudlet.services.ecr import errors, public_registry, registry, repository
from cloudlet.services.ecr.registry_record import Registry
from cloudlet.services.ecr.repository_record import Repository

FROM_CLIENTS: Final = "oci"
"""The protocol of calls that the registry makes for its clients."""
_PULLING: Final = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer", "ListImages")
"""The actions by which everybody may pull from a public repository."""
OF_REGISTRIES: Final = frozenset(("ecr:BatchImportUpstreamImage", "ecr:CreateRepository", "ecr:ReplicateImage"))
"""The actions that a registry's policy is about even where its scope is V1."""


def parse(text: str) -> Policy:
    """Return the policy of a repository, whose statements name no resource. Raises InvalidParameter."""
    return _parse(text, "repository", has_resources=False)


def parse_for_registry(text: str) -> Policy:
    """Return the policy of a registry, whose statements name resources. Raises InvalidParameter."""
    return _parse(text, "registry", has_resources=True)


def _parse(text: str, kind: str, *, has_resources: bool) -> Policy:
    try:
        policy = parse_policy(text)
    except PolicyError:
        policy = None
    if policy is None or any((each.resources is not None) != has_resources for each in policy.statements):
        raise errors.InvalidParameter(
            f"Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid {kind} policy provided'"
        )
    return policy


async def open_repository(ctx: Context, tx: Transaction, params: Params, action: str) -> Repository:
    """Return the repository of a request, if the caller may do this. Raises AwsError."""
    account = params.get("registryId") or ctx.account
    return await open_named(ctx, tx, account, params["repositoryName"], action)


async def open_named(ctx: Context, tx: Transaction, account: str, name: str, action: str) -> Repository:
    """Return a repository by its name, if the caller may do this to it. Raises AwsError."""
    found = await repository.find(tx, account, ctx.region, name)
    await authorize(ctx, tx, account, name, action, found)
    if found is None:
        raise errors.RepositoryNotFound(name, account)
    return found


async def authorize(
    ctx: Context, tx: Transaction, account: str, name: str, action: str, found: Repository | None
) -> None:
    """Raise AwsError unless the caller may do this.

    The repository need not be there (`found`).
    """
    if not ctx.strict:
        return
    is_public = ctx.region == public_registry.REGION
    if is_public and ctx.protocol == FROM_CLIENTS and action in _PULLING:
        ctx.was_decided = True
        return
    model = public_registry.MODEL if is_public else "ecr"
    arn = repository.make_arn(account, ctx.region, name)
    settings = await registry.load(tx, account, ctx.region)
    keys = {}
    if found is not None:
        for key, value in (await tags.load(tx, arn)).items():
            keys[f"aws:ResourceTag/{key}"] = keys[f"{model}:ResourceTag/{key}"] = value
    policy = _combine(found.policy if found is not None else "", _get_policy(settings, f"ecr:{action}"))
    decision = decide_by(
        ctx, f"{model}:{action}", arn, account, None if policy is None else NamedPolicy(arn, policy), keys
    )
    if not decision.allowed:
        raise enforcement.deny(ctx, model, decision)


def _get_policy(settings: Registry, action: str) -> str:
    """Return the policy of a registry where it is about an action."""
    is_about = action in OF_REGISTRIES or registry.get_setting(settings, "REGISTRY_POLICY_SCOPE") == "V2"
    return settings.policy if is_about else ""


@lru_cache(256)
def _combine(*texts: str) -> Policy | None:
    """Return policies as one, which has the statements of all; None where there is none."""
    statements = tuple(each for text in texts if text for each in parse_policy(text).statements)
    return Policy("2012-10-17", "", statements, Usage.RESOURCE) if statements else None
