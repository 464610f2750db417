"""The operations on log groups, their retention and their tags."""

from __future__ import annotations

from typing import Any

from cloudlet.core import AwsError, Context, FinalTransaction, Params, Result, Transaction
from cloudlet.core.aws import page_tokens, tags
from cloudlet.services.logs import (
    access,
    account_policy,
    arrivals,
    encryption,
    errors,
    events,
    metric_filter,
    pending,
    protection,
    resource_policy,
    subscription,
    tagging,
)
from cloudlet.services.logs import group as groups
from cloudlet.services.logs import stream as streams
from cloudlet.services.logs.block import service
from cloudlet.services.logs.encryption import DataKey
from cloudlet.services.logs.group_record import Group, arn_of

RETENTIONS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
_PAGE, _LIST_PAGE = 50, 50
_LOOKED_AT = 200
_CLASS = "STANDARD"
_INHERITED = "ACCOUNT_DATA_PROTECTION"


@service.direct("CreateLogGroup")
async def create_log_group(ctx: Context, params: Params) -> Result | FinalTransaction:
    kms_key, key = params.get("kmsKeyId"), None
    if kms_key is not None:
        key = await encryption.make_data_key(
            ctx.block, arn_of(ctx.region, ctx.account, params["logGroupName"]), kms_key
        )
    return FinalTransaction(lambda tx: _create(ctx, tx, params, key))


async def _create(ctx: Context, tx: Transaction, params: Params, key: DataKey | None) -> Result:
    name = params["logGroupName"]
    if params.get("logGroupClass", _CLASS) != _CLASS:
        raise errors.not_built(f"log groups of the class {params['logGroupClass']}")
    if name.startswith("aws/"):
        raise errors.invalid("Log groups starting with AWS/ are reserved for AWS.")
    if await groups.find(tx, ctx.account, ctx.region, name) is not None:
        raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
    group = Group(await groups.new_id(tx), ctx.account, ctx.region, name, int(ctx.now() * 1000))
    group.tags = tagging.merged({}, params.get("tags") or {})
    if group.tags:
        access.check_first_tags(ctx, group)
    group.protected = params.get("deletionProtectionEnabled", False)
    if key is not None:
        encryption.put(tx, group, key)
    groups.save(tx, group)
    return None


@service.operation("DeleteLogGroup")
async def delete_log_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, params["logGroupName"])
    _check_deletable(group)
    groups.remove(tx, group)
    streams.remove_all(tx, group)
    events.remove_all(tx, group.id)
    metric_filter.remove_all(tx, group)
    subscription.remove_all(tx, group)
    resource_policy.forget_group(tx, group)
    protection.remove_all(tx, group.id)
    encryption.remove_all(tx, group.id)
    arrivals.forget_all(tx, group.id)
    pending.remove_all(tx, group.id)
    return None


def _check_deletable(group: Group) -> None:
    if group.protected:
        raise AwsError(
            "ValidationException",
            f"The log group {group.name} has deletion protection enabled. Disable deletion protection first.",
        )


@service.operation("PutLogGroupDeletionProtection")
async def put_log_group_deletion_protection(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, groups.name_of(ctx, params["logGroupIdentifier"]))
    group.protected = params["deletionProtectionEnabled"]
    groups.save(tx, group)
    return None


@service.operation("DescribeLogGroups")
async def describe_log_groups(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_own(params)
    prefix, pattern = params.get("logGroupNamePrefix"), params.get("logGroupNamePattern")
    policies = await account_policy.of_account(tx, ctx.account, ctx.region)
    inherited = [_INHERITED for policy in policies if policy.kind == account_policy.PROTECTION]
    if prefix is not None and pattern is not None:
        raise errors.invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.")
    if params.get("logGroupIdentifiers"):
        names = sorted({groups.name_of(ctx, one) for one in params["logGroupIdentifiers"]})
        some = [await groups.find(tx, ctx.account, ctx.region, name) for name in names]
        return {"logGroups": [await _described(tx, group, inherited) for group in some if group is not None]}
    if params.get("logGroupClass", _CLASS) != _CLASS:
        return {"logGroups": []}
    found, token = await _page(ctx, tx, params, params.get("limit", _PAGE), prefix or "", [pattern or ""])
    return {"logGroups": [await _described(tx, group, inherited) for group in found], "nextToken": token}


@service.operation("ListLogGroups")
async def list_log_groups(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_own(params)
    for name in ("dataSources", "fieldIndexNames", "logGroupTags"):
        if params.get(name):
            raise errors.not_built(f"lists of log groups by {name}")
    if params.get("logGroupClass", _CLASS) != _CLASS:
        return {"logGroups": []}
    patterns = params.get("logGroupNamePattern", "").split("|")
    found, token = await _page(ctx, tx, params, params.get("limit", _LIST_PAGE), "", patterns)
    shown = [{"logGroupName": one.name, "logGroupArn": one.arn, "logGroupClass": _CLASS} for one in found]
    return {"logGroups": shown, "nextToken": token}


async def _page(
    ctx: Context, tx: Transaction, params: Params, most: int, prefix: str, patterns: list[str]
) -> tuple[list[Group], str | None]:
    """Return the groups of a page whose names have a prefix and fit one of the patterns, and the next page's token."""
    after = page_tokens.parse_name_token(params.get("nextToken"), errors.invalid_token())
    found: list[Group] = []
    while True:
        some = await groups.page(tx, ctx.account, ctx.region, prefix, after, _LOOKED_AT)
        for group in some:
            if any(_fits(group.name, pattern) for pattern in patterns):
                if len(found) == most:
                    return found, page_tokens.make_page_token(found[-1].name.encode())
                found.append(group)
            after = group.name
        if len(some) < _LOOKED_AT:
            return found, None


def _fits(name: str, pattern: str) -> bool:
    return name.startswith(pattern[1:]) if pattern.startswith("^") else pattern in name


def _check_own(params: Params) -> None:
    if params.get("includeLinkedAccounts") or params.get("accountIdentifiers"):
        raise errors.not_built("log groups of linked accounts")


async def _described(tx: Transaction, group: Group, inherited: list[str]) -> dict[str, Any]:
    return {
        "logGroupName": group.name,
        "creationTime": group.created,
        "retentionInDays": group.retention,
        "kmsKeyId": group.kms_key or None,
        "metricFilterCount": group.filters,
        "arn": f"{group.arn}:*",
        "logGroupArn": group.arn,
        "storedBytes": await groups.stored_bytes(tx, group),
        "logGroupClass": _CLASS,
        "deletionProtectionEnabled": group.protected or None,
        "dataProtectionStatus": group.protection,
        "inheritedProperties": inherited or None,
    }


@service.direct("AssociateKmsKey")
async def associate_kms_key(ctx: Context, params: Params) -> Result:
    name = _get_encrypted_name(ctx, params)
    group = await ctx.transact(lambda tx: groups.named(ctx, tx, name))
    key = await encryption.make_data_key(ctx.block, group.arn, params["kmsKeyId"])

    async def put(tx: Transaction) -> None:
        found = await groups.named(ctx, tx, name)
        encryption.put(tx, found, key)
        groups.save(tx, found)

    await ctx.transact(put)
    return None


@service.operation("DisassociateKmsKey")
async def disassociate_kms_key(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, _get_encrypted_name(ctx, params))
    group.kms_key = ""
    groups.save(tx, group)
    return None


def _get_encrypted_name(ctx: Context, params: Params) -> str:
    """Return the name of the log group whose encryption a request changes. Raises AwsError."""
    name, identifier = params.get("logGroupName"), params.get("resourceIdentifier")
    if (name is None) == (identifier is None):
        raise errors.invalid("Exactly one of logGroupName and resourceIdentifier must be specified.")
    if identifier is not None and ":query-result:" in identifier:
        raise errors.not_built("the encryption of query results with keys of KMS")
    return name or groups.name_of(ctx, identifier or "")


@service.operation("PutRetentionPolicy")
async def put_retention_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    days = params["retentionInDays"]
    if days not in RETENTIONS:
        values = ", ".join(map(str, RETENTIONS))
        raise errors.invalid(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{values}]"
        )
    group = await groups.named(ctx, tx, params["logGroupName"])
    group.retention = days
    groups.save(tx, group)
    return None


@service.operation("DeleteRetentionPolicy")
async def delete_retention_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, params["logGroupName"])
    group.retention = None
    groups.save(tx, group)
    return None


# -- tags


@service.operation("TagLogGroup")
async def tag_log_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, params["logGroupName"])
    group.tags = tagging.merged(group.tags, params["tags"])
    groups.save(tx, group)
    return None


@service.operation("UntagLogGroup")
async def untag_log_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    group = await groups.named(ctx, tx, params["logGroupName"])
    group.tags = tags.remove(group.tags, params["tags"])
    groups.save(tx, group)
    return None


@service.operation("ListTagsLogGroup")
async def list_tags_log_group(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"tags": (await groups.named(ctx, tx, params["logGroupName"])).tags}
