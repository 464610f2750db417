"""The operations on registries: replication, account settings, and tokens for clients."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.services.ecr import authorization_token, errors, registry
from cloudlet.services.ecr.block import service

_VALUES: Final = {
    "BASIC_SCAN_TYPE_VERSION": ("AWS_NATIVE",),
    "BLOB_MOUNTING": ("ENABLED", "DISABLED"),
    "REGISTRY_POLICY_SCOPE": ("V1", "V2"),
}
_MAX_EXCLUSIONS: Final = 10
_MAX_DESTINATIONS: Final = 25
_MAX_LISTED_EXCLUSIONS: Final = 100


@service.operation("DescribeRegistry")
async def describe_registry(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await registry.load(tx, ctx.account, ctx.region)
    return {"registryId": ctx.account, "replicationConfiguration": {"rules": list(known.replication)}}


@service.operation("PutReplicationConfiguration")
async def put_replication_configuration(ctx: Context, tx: Transaction, params: Params) -> Result:
    rules = params["replicationConfiguration"]["rules"]
    places = {(each["region"], each["registryId"]) for rule in rules for each in rule["destinations"]}
    if (ctx.region, ctx.account) in places:
        raise errors.InvalidParameter(
            "Invalid parameter at 'replicationConfiguration' failed to satisfy constraint: 'Replication destination "
            "cannot be the same as the source registry'"
        )
    if len(places) > _MAX_DESTINATIONS:
        raise errors.ValidationError(f"A replication configuration can have {_MAX_DESTINATIONS} destinations at most")
    known = await registry.load(tx, ctx.account, ctx.region)
    registry.save(tx, replace(known, replication=tuple(rules)))
    return {"replicationConfiguration": {"rules": rules}}


@service.operation("GetAuthorizationToken")
async def get_authorization_token(ctx: Context, tx: Transaction, params: Params) -> Result:
    expires = ctx.now() + authorization_token.VALID_SECONDS
    data = []
    for account in params.get("registryIds") or [ctx.account]:
        password = authorization_token.issue(ctx, account, expires)
        token = b64encode(f"{authorization_token.USER}:{password}".encode()).decode()
        data.append({"authorizationToken": token, "expiresAt": expires, "proxyEndpoint": ctx.endpoint})
    return {"authorizationData": data}


@service.operation("GetAccountSetting")
async def get_account_setting(ctx: Context, tx: Transaction, params: Params) -> Result:
    name = params["name"]
    _check_setting(name)
    known = await registry.load(tx, ctx.account, ctx.region)
    return {"name": name, "value": registry.get_setting(known, name)}


@service.operation("PutAccountSetting")
async def put_account_setting(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, value = params["name"], params["value"]
    _check_setting(name)
    if value not in _VALUES[name]:
        raise errors.InvalidParameter(
            f"Invalid parameter at 'value' failed to satisfy constraint: 'Member must be one of {list(_VALUES[name])}'"
        )
    known = await registry.load(tx, ctx.account, ctx.region)
    registry.save(tx, replace(known, settings={**known.settings, name: value}))
    return {"name": name, "value": value}


def _check_setting(name: str) -> None:
    if name not in _VALUES:
        raise errors.InvalidParameter(
            f"Invalid parameter at 'name' failed to satisfy constraint: 'Member must be one of {list(_VALUES)}'"
        )


@service.operation("RegisterPullTimeUpdateExclusion")
async def register_pull_time_update_exclusion(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn, now = params["principalArn"], ctx.now()
    known = await registry.load(tx, ctx.account, ctx.region)
    if arn in known.exclusions:
        message = f"The pull time update exclusion of '{arn}' already exists"
        raise AwsError("ExclusionAlreadyExistsException", message)
    if len(known.exclusions) >= _MAX_EXCLUSIONS:
        raise errors.LimitExceededError(f"A registry can have {_MAX_EXCLUSIONS} pull time update exclusions at most")
    registry.save(tx, replace(known, exclusions={**known.exclusions, arn: now}))
    return {"principalArn": arn, "createdAt": now}


@service.operation("DeregisterPullTimeUpdateExclusion")
async def deregister_pull_time_update_exclusion(ctx: Context, tx: Transaction, params: Params) -> Result:
    arn = params["principalArn"]
    known = await registry.load(tx, ctx.account, ctx.region)
    if arn not in known.exclusions:
        raise AwsError("ExclusionNotFoundException", f"The pull time update exclusion of '{arn}' does not exist")
    left = {each: since for each, since in known.exclusions.items() if each != arn}
    registry.save(tx, replace(known, exclusions=left))
    return {"principalArn": arn}


@service.operation("ListPullTimeUpdateExclusions")
async def list_pull_time_update_exclusions(ctx: Context, tx: Transaction, params: Params) -> Result:
    known = await registry.load(tx, ctx.account, ctx.region)
    place = page_tokens.parse_name_token(params.get("nextToken"), errors.InvalidNextToken())
    found = sorted(arn for arn in known.exclusions if arn > place)
    limit = params.get("maxResults") or _MAX_LISTED_EXCLUSIONS
    token = page_tokens.make_page_token(found[limit - 1].encode()) if len(found) > limit else None
    return {"pullTimeUpdateExclusions": found[:limit], "nextToken": token}
