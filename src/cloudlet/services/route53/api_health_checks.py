"""The operations on health checks."""

from __future__ import annotations

from typing import Any, Final

from msgspec.structs import replace

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import tags
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.route53 import health_check_configs, health_checks, limits, pages, zones
from cloudlet.services.route53.block import REGION, service
from cloudlet.services.route53.errors import InvalidInput
from cloudlet.services.route53.health_check_record import Health, HealthCheck
from cloudlet.services.route53.health_checks import ALARM, CALCULATED, HEALTH_CHECKS
from cloudlet.services.route53.linked_services import find_manager

_CHECKER_REGION: Final = "us-east-1"
_CHECKER_ADDRESS: Final = "127.0.0.1"
_ALARM_MEMBERS: Final = (
    "EvaluationPeriods",
    "Threshold",
    "ComparisonOperator",
    "Period",
    "MetricName",
    "Namespace",
    "Statistic",
    "Dimensions",
)


@service.direct("CreateHealthCheck")
async def create_health_check(ctx: Context, params: Params) -> Result:
    config = health_check_configs.complete(params["HealthCheckConfig"])
    alarm = await _describe_alarm(ctx, config)
    return await ctx.transact(lambda tx: _create(ctx, tx, params["CallerReference"], config, alarm))


async def _describe_alarm(ctx: Context, config: dict[str, Any]) -> dict[str, Any] | None:
    """Return the configuration of the alarm that a check follows, if it does. Raises InvalidInput."""
    if config["Type"] != ALARM:
        return None
    named = config["AlarmIdentifier"]
    found = await ctx.block.call(
        "cloudwatch", "DescribeAlarms", {"AlarmNames": [named["Name"]]}, account=ctx.account, region=named["Region"]
    )
    alarms = (found or {}).get("MetricAlarms") or ()
    if not alarms:
        raise InvalidInput(f"Unable to find alarm {named['Name']} in region {named['Region']}.")
    alarm = alarms[0]
    if any(alarm.get(name) is None for name in _ALARM_MEMBERS if name != "Dimensions"):
        raise InvalidInput(f"The alarm {named['Name']} is not one of a metric with a standard statistic.")
    return {name: alarm[name] for name in _ALARM_MEMBERS if alarm.get(name) is not None}


async def _create(
    ctx: Context, tx: Transaction, reference: str, config: dict[str, Any], alarm: dict[str, Any] | None
) -> dict[str, Any]:
    row = zones.REFERENCES.key("health-check", ctx.account, reference)
    known = await tx.get(row)
    if known is not None:
        found = await HEALTH_CHECKS.find(tx, ctx.account, REGION, known.decode())
        if found is None or found.config != config:
            raise AwsError(
                "HealthCheckAlreadyExists",
                f"The specified caller reference {reference} has already been used for another health check.",
            )
        return _describe(found)
    space = HEALTH_CHECKS.get_space(ctx.account, REGION)
    if len(await tx.range(space.begin, space.end, limit=limits.MAX_HEALTH_CHECKS)) == limits.MAX_HEALTH_CHECKS:
        raise AwsError("TooManyHealthChecks", f"An account has at most {limits.MAX_HEALTH_CHECKS} health checks.")
    made = HealthCheck(ctx.account, uuid4(), reference, config, alarm=alarm, linked_service=find_manager(ctx))
    await _set_children(tx, made, config)
    tx.put(row, made.name.encode())
    return _describe(health_checks.save(tx, made, ctx.now()))


async def _set_children(tx: Transaction, check: HealthCheck, config: dict[str, Any]) -> None:
    """Write down whom a calculated check depends on. Raises InvalidInput for what is not there, or goes in circles."""
    children = config.get("ChildHealthChecks") or []
    for child in children:
        found = await HEALTH_CHECKS.find(tx, check.account, REGION, child)
        if found is None:
            raise InvalidInput(f"The child health check {child} does not exist.")
        if found.config["Type"] == CALCULATED:
            raise InvalidInput(f"The child health check {child} is a calculated health check itself.")
    health_checks.set_children(tx, check, children)


def _describe(check: HealthCheck) -> dict[str, Any]:
    return {
        "HealthCheck": health_checks.to_api(check),
        "Location": f"https://route53.amazonaws.com/2013-04-01/healthcheck/{check.name}",
    }


@service.operation("GetHealthCheck")
async def get_health_check(ctx: Context, tx: Transaction, params: Params) -> Result:
    check = await HEALTH_CHECKS.get(tx, ctx.account, REGION, params["HealthCheckId"])
    return {"HealthCheck": health_checks.to_api(check)}


@service.direct("UpdateHealthCheck")
async def update_health_check(ctx: Context, params: Params) -> Result:
    check = await ctx.transact(lambda tx: HEALTH_CHECKS.get(tx, ctx.account, REGION, params["HealthCheckId"]))
    alarm = await _describe_alarm(ctx, health_check_configs.change(check.config, params))
    return await ctx.transact(lambda tx: _update(ctx, tx, params, alarm))


async def _update(ctx: Context, tx: Transaction, params: Params, alarm: dict[str, Any] | None) -> dict[str, Any]:
    check = await HEALTH_CHECKS.get(tx, ctx.account, REGION, params["HealthCheckId"])
    version = params.get("HealthCheckVersion")
    if version is not None and version != check.version:
        raise AwsError(
            "HealthCheckVersionMismatch",
            f"The HealthCheckVersion {version} is not the current one, {check.version}.",
        )
    config = health_check_configs.change(check.config, params)
    await _set_children(tx, check, config)
    changed = replace(check, config=config, version=check.version + 1, alarm=alarm)
    saved = health_checks.save(tx, changed, ctx.now())
    await health_checks.tell_change(tx, ctx.account, check.name, ctx.now())
    return {"HealthCheck": health_checks.to_api(saved)}


@service.operation("DeleteHealthCheck")
async def delete_health_check(ctx: Context, tx: Transaction, params: Params) -> Result:
    check = await HEALTH_CHECKS.get(tx, ctx.account, REGION, params["HealthCheckId"])
    if check.linked_service is not None and ctx.principal.kind != "service":
        raise AwsError("HealthCheckInUse", f"The health check {check.name} is in use by {check.linked_service[1]}.")
    tags.save(tx, f"arn:aws:route53:::healthcheck/{check.name}", {})
    await health_checks.remove(tx, check, ctx.now())
    return {}


@service.operation("ListHealthChecks")
async def list_health_checks(ctx: Context, tx: Transaction, params: Params) -> Result:
    limit, marker = pages.read_limit(params), params.get("Marker")
    space = HEALTH_CHECKS.get_space(ctx.account, REGION)
    rows = await tx.range(space.key(marker) if marker else space.begin, space.end, limit=limit + 1)
    found = [HEALTH_CHECKS.decode(raw) for _, raw in rows]
    shown: dict[str, Any] = {
        "HealthChecks": [health_checks.to_api(each) for each in found[:limit]],
        "Marker": marker or "",
        "IsTruncated": len(found) > limit,
        "MaxItems": str(limit),
    }
    return {**shown, "NextMarker": found[limit].name} if len(found) > limit else shown


@service.operation("GetHealthCheckCount")
async def get_health_check_count(ctx: Context, tx: Transaction, params: Params) -> Result:
    space = HEALTH_CHECKS.get_space(ctx.account, REGION)
    return {"HealthCheckCount": len(await tx.range(space.begin, space.end, limit=limits.MAX_HEALTH_CHECKS))}


async def _load_endpoint_check(ctx: Context, tx: Transaction, params: Params) -> tuple[HealthCheck, Health]:
    """Return a check and what it has found. Raises AwsError for a check that asks nobody."""
    check = await HEALTH_CHECKS.get(tx, ctx.account, REGION, params["HealthCheckId"])
    if check.config["Type"] == CALCULATED:
        raise InvalidInput("The status of a calculated health check is not reported by health checkers.")
    return check, await health_checks.load_health(tx, ctx.account, check.name)


@service.operation("GetHealthCheckStatus")
async def get_health_check_status(ctx: Context, tx: Transaction, params: Params) -> Result:
    check, health = await _load_endpoint_check(ctx, tx, params)
    return {"HealthCheckObservations": _observe(check, health.report, health.checked)}


@service.operation("GetHealthCheckLastFailureReason")
async def get_health_check_last_failure_reason(ctx: Context, tx: Transaction, params: Params) -> Result:
    check, health = await _load_endpoint_check(ctx, tx, params)
    return {"HealthCheckObservations": _observe(check, health.failure, health.failed)}


def _observe(check: HealthCheck, report: str, at: float) -> list[dict[str, Any]]:
    """Return what the one checker reports, if it has anything to report."""
    if not at:
        return []
    region = (check.config.get("Regions") or [_CHECKER_REGION])[0]
    status = {"Status": report, "CheckedTime": at}
    return [{"Region": region, "IPAddress": _CHECKER_ADDRESS, "StatusReport": status}]


@service.operation("GetCheckerIpRanges")
async def get_checker_ip_ranges(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"CheckerIpRanges": ["127.0.0.1/32", "::1/128"]}
