"""Who may do what with a table or a stream: its policy, enforced where permissions are (`--auth strict`).

The caller's own policies and the resource's are looked at together: within an account one of them has to allow it, for
others both. Some actions are the owner's alone (Developer Guide, "API operations supported by resource-based
policies").
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cloudlet.core import AwsError, Context
from cloudlet.core.authorization.condition_keys import Keys, LazyKeys
from cloudlet.core.authorization.enforcement import deny
from cloudlet.core.authorization.resource_policy import decide, is_admitted, parse_policy
from cloudlet.core.aws.policy import PolicyError
from cloudlet.services.dynamodb.errors import validation
from cloudlet.services.dynamodb.streaming import streams
from cloudlet.services.dynamodb.tables.features import Policy as StoredPolicy
from cloudlet.services.dynamodb.tables.table import Table, table_arn

POLICY_BYTES: Final = 20 * 1024
"""The largest policy, without its whitespace."""

OWNERS_ACTIONS: Final = frozenset(
    {
        "CreateBackup",
        "CreateTable",
        "DeleteBackup",
        "DescribeBackup",
        "DescribeExport",
        "DescribeImport",
        "DisableKinesisStreamingDestination",
        "EnableKinesisStreamingDestination",
        "ExportTableToPointInTime",
        "ImportTable",
        "ListBackups",
        "ListContributorInsights",
        "ListExports",
        "ListImports",
        "ListTables",
        "RestoreTableFromBackup",
        "RestoreTableToPointInTime",
    }
)
"""What no policy can grant to another account."""

RESTORING_ACTIONS: Final = ("BatchWriteItem", "DeleteItem", "GetItem", "PutItem", "Query", "Scan", "UpdateItem")
"""Permissions on a table that is restored.

Developer Guide, "Using IAM with DynamoDB backup and restore".
"""

DECIDED: Final = frozenset(
    {
        "BatchExecuteStatement",
        "BatchGetItem",
        "BatchWriteItem",
        "CreateBackup",
        "DeleteItem",
        "DeleteResourcePolicy",
        "DeleteTable",
        "DescribeContinuousBackups",
        "DescribeContributorInsights",
        "DescribeTable",
        "DescribeTimeToLive",
        "ExecuteStatement",
        "ExecuteTransaction",
        "ExportTableToPointInTime",
        "GetItem",
        "GetResourcePolicy",
        "ListTagsOfResource",
        "PutItem",
        "PutResourcePolicy",
        "Query",
        "RestoreTableToPointInTime",
        "Scan",
        "SearchVectors",
        "TagResource",
        "TransactGetItems",
        "TransactWriteItems",
        "UntagResource",
        "UpdateContinuousBackups",
        "UpdateContributorInsights",
        "UpdateItem",
        "UpdateTable",
        "UpdateTimeToLive",
        "dynamodbstreams:DescribeStream",
        "dynamodbstreams:GetRecords",
        "dynamodbstreams:GetShardIterator",
    }
)
"""The operations on tables and streams that exist, which may have policies of their own."""


def checked_policy(text: str) -> str:
    """Return a policy to store. Raises AwsError for what is no policy of a resource."""
    try:
        parse_policy(text)
        compact = json.dumps(json.loads(text), separators=(",", ":"))
    except (PolicyError, ValueError) as error:
        raise validation(f"Resource-based policy is not valid: {error}") from None
    if len(compact.encode()) > POLICY_BYTES:
        raise AwsError("LimitExceededException", "The resource-based policy is larger than the limit of 20 KB.")
    return text


def revised(text: str, current: StoredPolicy | None, now: float) -> StoredPolicy:
    """Return a policy to store in place of another one, whose revision id is smaller."""
    return StoredPolicy(text, str(max(int(now * 1000), 0 if current is None else int(current.revision) + 1)))


def authorize(
    ctx: Context, table: Table, action: str, index: str | None = None, keys: Callable[[], Keys] | None = None
) -> None:
    """Raise unless the caller may do this to a table, or to one of its indexes.

    `keys` returns the condition keys of a call about items.
    """
    if not ctx.strict:
        return
    resource = table.arn if index is None else table.index_arn(index)
    owner, policy = table.record.account, table.features.policies.get("")

    known = LazyKeys(lambda: _tag_keys(table) | ({} if keys is None else keys()))
    if policy is None and is_admitted(ctx, f"dynamodb:{action}", resource, owner, known):
        return
    _decide(ctx, action, resource, owner, policy, known)


def authorize_missing(ctx: Context, action: str, account: str, region: str, name: str) -> None:
    """Raise unless the caller may do this to a table that is not there.

    Others are not to know whether it is.
    """
    if ctx.strict:
        _decide(ctx, action, table_arn(account, region, name), account, None, {})


def authorize_stream(
    ctx: Context, account: str, region: str, name: str, label: str, table: Table | None, action: str
) -> None:
    """Raise unless the caller may do this to a stream; `table` is its table, where that still is there."""
    if not ctx.strict:
        return
    policy = None if table is None else table.features.policies.get(label)
    arn = streams.arn_of(account, region, name, label)
    _decide(ctx, action, arn, account, policy, {} if table is None else _tag_keys(table))


def _tag_keys(table: Table) -> Keys:
    return {f"aws:ResourceTag/{name}": value for name, value in table.features.tags.items()}


def locks_out(ctx: Context, table: Table, text: str) -> bool:
    """Whether a policy of a table would deny the caller to change it."""
    return not decide(ctx, "dynamodb:PutResourcePolicy", table.arn, table.record.account, text).allowed


def _decide(
    ctx: Context,
    action: str,
    resource: str,
    owner: str,
    policy: StoredPolicy | None,
    keys: Mapping[str, str | Sequence[str]],
) -> None:
    name = f"dynamodb:{action}"
    principal = ctx.principal
    if action in OWNERS_ACTIONS and principal.account != owner:
        message = f"User: {principal.arn} is not authorized to perform: {name} on resource: {resource}"
        raise AwsError("AccessDeniedException", message, status=400)
    decision = decide(ctx, name, resource, owner, None if policy is None else policy.text, keys)
    if not decision.allowed:
        raise deny(ctx, "dynamodb", decision)
