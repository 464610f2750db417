"""The operations on query logging."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Arn, AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import listing
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.route53 import pages, query_logging
from cloudlet.services.route53.block import NAMES_TOPIC, REGION, service
from cloudlet.services.route53.errors import InvalidInput
from cloudlet.services.route53.query_logging import CONFIGS, QueryLoggingConfig
from cloudlet.services.route53.zones import get_zone

_LOGS_REGION: Final = "us-east-1"


@service.direct("CreateQueryLoggingConfig")
async def create_query_logging_config(ctx: Context, params: Params) -> Result:
    group = params["CloudWatchLogsLogGroupArn"]
    await _check_group(ctx, group)
    return await ctx.transact(lambda tx: _create(ctx, tx, params["HostedZoneId"], group))


async def _check_group(ctx: Context, group: str) -> None:
    """Raise AwsError for a log group that is not one of the caller's in us-east-1."""
    try:
        arn = Arn.parse(group)
    except ValueError:
        raise InvalidInput(f"The ARN {group} is not valid.") from None
    kind, _, name = arn.resource.partition(":")
    if (arn.service, arn.region, arn.account, kind) != ("logs", _LOGS_REGION, ctx.account, "log-group") or not name:
        raise InvalidInput("The log group must be one of the same account in us-east-1.")
    name = name.removesuffix(":*")
    found = await ctx.block.call(
        "logs", "DescribeLogGroups", {"logGroupNamePrefix": name}, account=ctx.account, region=_LOGS_REGION
    )
    if not any(each["logGroupName"] == name for each in (found or {}).get("logGroups") or ()):
        raise AwsError("NoSuchCloudWatchLogsLogGroup", "There is no CloudWatch Logs log group with the specified ARN.")


async def _create(ctx: Context, tx: Transaction, given: str, group: str) -> dict[str, Any]:
    zone = await get_zone(ctx, tx, given)
    if zone.is_private:
        raise InvalidInput("You can log DNS queries only for public hosted zones.")
    if await query_logging.find_zone_config(tx, ctx.account, zone.name) is not None:
        raise AwsError(
            "QueryLoggingConfigAlreadyExists",
            "A query logging configuration already exists for this hosted zone.",
        )
    made = QueryLoggingConfig(ctx.account, uuid4(), zone.name, group)
    query_logging.save(tx, made)
    tx.notify(NAMES_TOPIC)
    location = f"https://route53.amazonaws.com/2013-04-01/queryloggingconfig/{made.name}"
    return {"QueryLoggingConfig": _describe(made), "Location": location}


def _describe(config: QueryLoggingConfig) -> dict[str, str]:
    return {"Id": config.name, "HostedZoneId": config.zone, "CloudWatchLogsLogGroupArn": config.log_group}


@service.operation("GetQueryLoggingConfig")
async def get_query_logging_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"QueryLoggingConfig": _describe(await CONFIGS.get(tx, ctx.account, REGION, params["Id"]))}


@service.operation("DeleteQueryLoggingConfig")
async def delete_query_logging_config(ctx: Context, tx: Transaction, params: Params) -> Result:
    query_logging.remove(tx, await CONFIGS.get(tx, ctx.account, REGION, params["Id"]))
    tx.notify(NAMES_TOPIC)
    return {}


@service.operation("ListQueryLoggingConfigs")
async def list_query_logging_configs(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("HostedZoneId"):
        zone = await get_zone(ctx, tx, params["HostedZoneId"])
        found = await query_logging.find_zone_config(tx, ctx.account, zone.name)
        return {"QueryLoggingConfigs": [] if found is None else [_describe(found)]}
    wrong = AwsError("InvalidPaginationToken", "The value that you specified to get the second page is not valid.")
    limit, space = pages.read_limit(params, member="MaxResults"), CONFIGS.get_space(ctx.account, REGION)
    rows, token = await listing.list_rows(tx, space, params.get("NextToken"), limit, wrong)
    return {"QueryLoggingConfigs": [_describe(CONFIGS.decode(raw)) for _, raw in rows], "NextToken": token}
