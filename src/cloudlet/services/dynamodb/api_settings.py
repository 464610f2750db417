"""Operations on what a table has beside its schema: tags, time to live, policies, insights; and on the account."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

from cloudlet.core import AwsError, Context, Params, Result, Service, Transaction
from cloudlet.services.dynamodb import access, expiring
from cloudlet.services.dynamodb.errors import no_such_table_named, not_built, validation
from cloudlet.services.dynamodb.tables import directory, resources, tags, throughput, ttl
from cloudlet.services.dynamodb.tables.features import Policy
from cloudlet.services.dynamodb.tables.table import Table
from cloudlet.services.dynamodb.tables.table_record import ACTIVE, UPDATING

_ENDPOINT_MINUTES = 1440
_NO_POLICY = "NO_POLICY"


def declare(service: Service) -> None:
    """Add the operations, and the job that deletes expired items, to the block's service."""
    for name, function in _OPERATIONS.items():
        service.operation(name)(function)
    service.job(expiring.expire_items)


async def _table(ctx: Context, tx: Transaction, params: Params, action: str) -> Table:
    table = await directory.by_name(ctx, tx, params["TableName"], action)
    access.authorize(ctx, table, action)
    return table


def _change(tx: Transaction, table: Table, **changed: Any) -> Table:
    """Store a table with some of its features changed."""
    features = msgspec.structs.replace(table.features, **changed)
    return directory.store(tx, msgspec.structs.replace(table.record, features=features))


# -- time to live


async def update_time_to_live(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await _table(ctx, tx, params, "UpdateTimeToLive")
    wanted = params["TimeToLiveSpecification"]
    attribute, enabled = wanted["AttributeName"], wanted["Enabled"]
    if table.record.status not in (ACTIVE, UPDATING):
        raise AwsError("ResourceInUseException", f"Attempt to change a resource which is still in use: {table.name}")
    current = table.features.ttl
    if current is None and not enabled:
        raise validation("TimeToLive is already disabled")
    if current is not None and current != attribute:
        raise validation(f"TimeToLive is active on a different AttributeName: current AttributeName is {current}")
    if current is not None and enabled:
        raise validation("TimeToLive is already enabled")
    if enabled:
        ttl.enable(tx, _change(tx, table, ttl=attribute))
    else:
        ttl.disable(tx, _change(tx, table, ttl=None))
    return {"TimeToLiveSpecification": {"Enabled": enabled, "AttributeName": attribute}}


async def describe_time_to_live(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await _table(ctx, tx, params, "DescribeTimeToLive")
    if table.features.ttl is None:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}
    return {"TimeToLiveDescription": {"TimeToLiveStatus": "ENABLED", "AttributeName": table.features.ttl}}


# -- tags


async def _tagged(ctx: Context, tx: Transaction, params: Params, action: str) -> Table:
    arn = resources.parsed(params["ResourceArn"])
    resources.only_table(arn)
    table = await resources.table_of(ctx, tx, arn, action)
    access.authorize(ctx, table, action)
    return table


async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await _tagged(ctx, tx, params, "TagResource")
    _change(tx, table, tags=tags.checked(table.features.tags, params["Tags"]))
    return None


async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await _tagged(ctx, tx, params, "UntagResource")
    _change(tx, table, tags=tags.without(table.features.tags, params["TagKeys"]))
    return None


async def list_tags_of_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await _tagged(ctx, tx, params, "ListTagsOfResource")
    if params.get("NextToken"):
        # All tags are in the first answer, so no token was ever given out.
        raise validation("Invalid NextToken")
    return {"Tags": [{"Key": key, "Value": value} for key, value in table.features.tags.items()]}


# -- policies


async def _resource(ctx: Context, tx: Transaction, params: Params, action: str) -> tuple[Table, str]:
    """Return the table that a policy is about, and the label of its stream or "" for itself."""
    arn = resources.parsed(params["ResourceArn"])
    table = await directory.by_arn(tx, arn) if arn.region == ctx.region else None
    if table is None:
        name = arn.resource.split("/")[1]
        access.authorize_missing(ctx, action, arn.account, arn.region, name)
        raise no_such_table_named(name)
    access.authorize(ctx, table, action)
    return table, await resources.stream_label(tx, arn)


def _check_revision(params: Params, table: Table, current: Policy | None) -> None:
    expected = params.get("ExpectedRevisionId")
    if expected is None or expected == (_NO_POLICY if current is None else current.revision):
        return
    if current is None:
        reason = f"update for policy with revision id {expected}, but table {table.name} has no policy"
    elif expected == _NO_POLICY:
        reason = (
            f"policy update expecting none to be present for table {table.name}, but a policy exists with revision id "
            f"{current.revision}"
        )
    else:
        reason = (
            f"update for policy with revision id {expected}, but the policy associated to target table {table.name} "
            f"has revision id {current.revision}"
        )
    raise AwsError(
        "PolicyNotFoundException",
        f"Resource-based policy not found for the provided ResourceArn: Requested {reason}.",
    )


async def put_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    table, label = await _resource(ctx, tx, params, "PutResourcePolicy")
    current = table.features.policies.get(label)
    _check_revision(params, table, current)
    text = access.checked_policy(params["Policy"])
    if access.locks_out(ctx, table, text) and not params.get("ConfirmRemoveSelfResourceAccess"):
        raise validation(
            "The policy would not allow you to change it in the future. "
            "Set ConfirmRemoveSelfResourceAccess to confirm that this is meant."
        )
    if current is not None and current.text == text:
        return {"RevisionId": current.revision}
    policy = access.revised(text, current, ctx.now())
    _change(tx, table, policies={**table.features.policies, label: policy})
    return {"RevisionId": policy.revision}


async def get_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    table, label = await _resource(ctx, tx, params, "GetResourcePolicy")
    policy = table.features.policies.get(label)
    if policy is None:
        raise AwsError(
            "PolicyNotFoundException",
            f"Resource-based policy not found for the provided ResourceArn: {params['ResourceArn']}",
        )
    return {"Policy": policy.text, "RevisionId": policy.revision}


async def delete_resource_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    table, label = await _resource(ctx, tx, params, "DeleteResourcePolicy")
    current = table.features.policies.get(label)
    _check_revision(params, table, current)
    if current is None:
        return {}
    kept = {name: policy for name, policy in table.features.policies.items() if name != label}
    _change(tx, table, policies=kept)
    return {"RevisionId": current.revision}


# -- contributor insights


async def update_contributor_insights(ctx: Context, tx: Transaction, params: Params) -> Result:
    """Disable what is not enabled: nobody gathers which keys are used most."""
    table = await _table(ctx, tx, params, "UpdateContributorInsights")
    index = _index(table, params)
    if params["ContributorInsightsAction"] == "ENABLE":
        raise not_built("contributor insights")
    return _described_insights(table, index)


async def describe_contributor_insights(ctx: Context, tx: Transaction, params: Params) -> Result:
    table = await _table(ctx, tx, params, "DescribeContributorInsights")
    return _described_insights(table, _index(table, params))


async def list_contributor_insights(ctx: Context, tx: Transaction, params: Params) -> Result:
    """List those that are enabled, of which there are none."""
    if params.get("TableName") is not None:
        await _table(ctx, tx, params, "ListContributorInsights")
    if params.get("NextToken"):
        raise validation("Invalid NextToken")
    count = params.get("MaxResults", 1)
    if count < 1:
        # The model has an upper bound alone.
        raise validation(
            f"1 validation error detected: Value '{count}' at 'maxResults' failed to satisfy constraint: Member "
            "must have value greater than or equal to 1"
        )
    return {"ContributorInsightsSummaries": []}


def _index(table: Table, params: Params) -> str:
    name: str = params.get("IndexName") or ""
    if name and name not in table.indexes:
        raise AwsError("ResourceNotFoundException", f"Requested resource not found: Index: {name} not found")
    return name


def _described_insights(table: Table, index: str) -> dict[str, Any]:
    return {"TableName": table.name, "IndexName": index or None, "ContributorInsightsStatus": "DISABLED"}


# -- the account


async def describe_limits(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {
        "AccountMaxReadCapacityUnits": throughput.ACCOUNT_UNITS,
        "AccountMaxWriteCapacityUnits": throughput.ACCOUNT_UNITS,
        "TableMaxReadCapacityUnits": throughput.TABLE_UNITS,
        "TableMaxWriteCapacityUnits": throughput.TABLE_UNITS,
    }


async def describe_endpoints(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"Endpoints": [{"Address": urlsplit(ctx.endpoint).netloc, "CachePeriodInMinutes": _ENDPOINT_MINUTES}]}


_OPERATIONS = {
    "DeleteResourcePolicy": delete_resource_policy,
    "DescribeContributorInsights": describe_contributor_insights,
    "DescribeEndpoints": describe_endpoints,
    "DescribeLimits": describe_limits,
    "DescribeTimeToLive": describe_time_to_live,
    "GetResourcePolicy": get_resource_policy,
    "ListContributorInsights": list_contributor_insights,
    "ListTagsOfResource": list_tags_of_resource,
    "PutResourcePolicy": put_resource_policy,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "UpdateContributorInsights": update_contributor_insights,
    "UpdateTimeToLive": update_time_to_live,
}
