"""The operations on pull-through cache rules."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.authorization.role_session import check_role
from cloudlet.core.aws import listing
from cloudlet.services.ecr import cache_rules, errors, pull_through
from cloudlet.services.ecr.api_repositories import check_own_registry
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.cache_rule_record import CacheRule

_MAX_LISTED_RULES: Final = 100
_MAX_RULES: Final = 50
"""User guide, "Amazon ECR service quotas": rules per registry."""


class _RuleAlreadyExists(AwsError):
    """A prefix that another rule has."""

    def __init__(self, prefix: str) -> None:
        message = f"A pull through cache rule with the prefix '{prefix}' already exists"
        super().__init__("PullThroughCacheRuleAlreadyExistsException", message)


class _UnsupportedUpstream(AwsError):
    """A registry that no images are pulled from."""

    def __init__(self, url: str) -> None:
        message = f"The upstream registry '{url}' is not supported, or not of the kind that was said"
        super().__init__("UnsupportedUpstreamRegistryException", message)


@service.direct("CreatePullThroughCacheRule")
async def create_pull_through_cache_rule(ctx: Context, params: Params) -> FinalTransaction:
    check_own_registry(ctx, params)
    url = params["upstreamRegistryUrl"].removeprefix("https://").rstrip("/")
    kind = cache_rules.find_kind(url)
    if kind is None or params.get("upstreamRegistry") not in (None, kind):
        raise _UnsupportedUpstream(url)
    credential, role = params.get("credentialArn") or "", params.get("customRoleArn") or ""
    _check_role(ctx, role)
    if kind in cache_rules.NEED_CREDENTIALS and not credential:
        raise errors.InvalidParameter(f"The upstream registry '{url}' needs a credentialArn")
    await _check_secret(ctx, credential)
    now = ctx.now()
    rule = CacheRule(
        ctx.account,
        ctx.region,
        params["ecrRepositoryPrefix"].removesuffix("/"),
        url,
        kind,
        now,
        now,
        credential,
        role,
        (params.get("upstreamRepositoryPrefix") or "").removesuffix("/"),
    )

    async def body(tx: Transaction) -> Result:
        if await cache_rules.find(tx, rule.account, rule.region, rule.name) is not None:
            raise _RuleAlreadyExists(rule.name)
        space = cache_rules.get_space(rule.account, rule.region)
        if len(await tx.range(space.begin, space.end, limit=_MAX_RULES)) == _MAX_RULES:
            raise errors.LimitExceededError(f"A registry can have {_MAX_RULES} pull through cache rules at most")
        cache_rules.save(tx, rule)
        return _show(rule, "updatedAt")

    return FinalTransaction(body)


def _check_role(ctx: Context, role: str) -> None:
    """Raise AwsError for what is no role of the caller's account."""
    if not role:
        return
    try:
        check_role(ctx.account, role)
    except ValueError:
        raise errors.InvalidParameter("The customRoleArn is no ARN of a role") from None


def _show(rule: CacheRule, *without: str) -> dict[str, Any]:
    """Return a rule as the API shows it, without some members."""
    return {name: value for name, value in cache_rules.to_api(rule).items() if name not in without}


async def _check_secret(ctx: Context, arn: str) -> None:
    """Raise AwsError where there is no such secret."""
    if not arn:
        return
    try:
        await ctx.call_as_caller("secretsmanager", "DescribeSecret", {"SecretId": arn})
    except AwsError as error:
        is_absent = error.code == "ResourceNotFoundException"
        raise AwsError(
            "SecretNotFoundException" if is_absent else "UnableToAccessSecretException", error.message
        ) from error


@service.operation("DescribePullThroughCacheRules")
async def describe_pull_through_cache_rules(ctx: Context, tx: Transaction, params: Params) -> Result:
    check_own_registry(ctx, params)
    if names := params.get("ecrRepositoryPrefixes"):
        found = [await cache_rules.get(tx, ctx.account, ctx.region, name.removesuffix("/")) for name in names]
        return {"pullThroughCacheRules": [cache_rules.to_api(each) for each in found]}
    listed, token = await listing.list_page(
        tx,
        cache_rules.get_space(ctx.account, ctx.region),
        params.get("nextToken"),
        params.get("maxResults") or _MAX_LISTED_RULES,
        cache_rules.decode,
        errors.InvalidNextToken(),
    )
    return {"pullThroughCacheRules": [cache_rules.to_api(each) for each in listed], "nextToken": token}


@service.direct("UpdatePullThroughCacheRule")
async def update_pull_through_cache_rule(ctx: Context, params: Params) -> FinalTransaction:
    check_own_registry(ctx, params)
    credential, role = params.get("credentialArn"), params.get("customRoleArn")
    await _check_secret(ctx, credential or "")
    _check_role(ctx, role or "")

    async def body(tx: Transaction) -> Result:
        rule = await cache_rules.get(tx, ctx.account, ctx.region, params["ecrRepositoryPrefix"].removesuffix("/"))
        changed = replace(
            rule,
            credential=rule.credential if credential is None else credential,
            role=rule.role if role is None else role,
            updated=ctx.now(),
        )
        cache_rules.save(tx, changed)
        return _show(changed, "createdAt", "upstreamRegistry", "upstreamRegistryUrl")

    return FinalTransaction(body)


@service.operation("DeletePullThroughCacheRule")
async def delete_pull_through_cache_rule(ctx: Context, tx: Transaction, params: Params) -> Result:
    check_own_registry(ctx, params)
    rule = await cache_rules.get(tx, ctx.account, ctx.region, params["ecrRepositoryPrefix"].removesuffix("/"))
    cache_rules.remove(tx, rule)
    return _show(rule, "updatedAt", "upstreamRegistry")


@service.direct("ValidatePullThroughCacheRule")
async def validate_pull_through_cache_rule(ctx: Context, params: Params) -> Result:
    check_own_registry(ctx, params)
    prefix = params["ecrRepositoryPrefix"].removesuffix("/")
    rule = await ctx.transact(lambda tx: cache_rules.get(tx, ctx.account, ctx.region, prefix))
    failure = await pull_through.find_failure(ctx, rule)
    shown = _show(rule, "createdAt", "updatedAt", "upstreamRegistry")
    return {**shown, "isValid": not failure, "failure": failure or None}
